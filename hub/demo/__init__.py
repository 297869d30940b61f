"""The demonstration: two invented shops, and the main job run on them."""
