"""Cut people by what they said: survey answers, interests, opinions, scores."""

from __future__ import annotations

from datetime import timedelta

from pydantic import model_validator

from hub import api

LONGEST = timedelta(days=3650)

# The newest answer counts; one without a date is older than any other. Answers with several parts come as one text.
newest_answer = api.Base(
    "the newest answer",
    """
    with answers as (
        select person_id, max(struct_pack(
            t := coalesce(recorded_at, timestamp '1900-01-01'), v := trim(value), r := recorded_at)) as newest
        from traits
        where person_id is not null and lower(name) = lower($trait) and trim(value) <> ''
        group by person_id
    ),
    read as (
        select person_id, newest.v as answer, newest.r as answered_at, try_cast(newest.v as double) as number
        from answers
    )
    select
        person_id, answer, answered_at, case when isfinite(number) then number end as number, true as is_answered,
        list_prepend(answer, list_filter(
            list_transform(regexp_split_to_array(answer, '[,;|]'), lambda t: trim(t)),
            lambda t: t <> '' and t <> answer)) as answers
    from read
    """,
    absent="no answer on record",
    units={"answered_at": "time"},
)


class TraitsConfig(api.Config):
    """Settings of traits."""

    trait: str = api.Field(
        min_length=1, description="name of the question, as its source writes it", examples=["favourite sport"]
    )
    values: tuple[str, ...] | None = api.Field(
        default=None,
        min_length=1,
        description="answers; one is enough, the whole one or a part between commas, semicolons or bars",
        examples=[("running", "hiking")],
    )
    min_value: float | None = api.Field(
        default=None, ge=-1e15, le=1e15, description="for answers that are numbers, such as scores: at least"
    )
    max_value: float | None = api.Field(default=None, ge=-1e15, le=1e15, description="and at most")
    max_age: api.Duration | None = api.Field(
        default=None, gt=timedelta(0), le=LONGEST, description="answers younger than this only; default: whenever given"
    )

    @model_validator(mode="after")
    def _in_order(self) -> TraitsConfig:
        if self.min_value is not None and self.max_value is not None and self.min_value > self.max_value:
            raise ValueError(f"min_value must not be more than max_value, not {self.min_value} and {self.max_value}")
        return self


class Traits(api.Segment[TraitsConfig]):
    """People by what they said: interests, opinions, survey answers, feedback scores.

    Who: people whose newest answer to trait is one of values, or holds one of them between commas, semicolons or
    bars, lies between min_value and max_value where it is a number, and is younger than max_age; as far as these
    are given. With none of them: whoever answered. Names and answers are compared whatever their case. An answer
    that is no number, where a number is asked for, is insufficient data; so is an answer without a date where
    max_age is given. This is also where a shop platform's own judgement is read, such as the RFM group it gives.

    Use it for: psychographic segments from whatever the shop asks: who runs, who cares for organic, promoters (9
    and 10) and critics (0 to 6) of a feedback score. Message that suits: the one that shows you listened.
    """

    name = "traits"
    version = 1
    starter = False
    Config = TraitsConfig
    base = newest_answer
    rule = (
        api.equals("is_answered", True),
        api.has_any("answers", "$values"),
        api.at_least("number", "$min_value"),
        api.at_most("number", "$max_value"),
        api.within("answered_at", "$max_age"),
    )
    evidence = ("answer", "answered_at")
    needs = (api.Need.TRAITS,)
    windows = ("max_age",)
