"""Cut people by what the shop wrote down about them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, StringConstraints, field_validator, model_validator

from hub import api

Texts = tuple[str, ...] | None
Country = Annotated[str, StringConstraints(to_upper=True, pattern=r"^[A-Za-z]{2}$")]
Prefix = Annotated[
    str,
    StringConstraints(min_length=1),
    BeforeValidator(lambda value: "".join(value.split()) if isinstance(value, str) else value),
]

# A locale is also its language: de-AT is de.
persons = api.Base(
    "age, gender and locale",
    """
    with written as (
        select person_id, age, gender, locale, lower(replace(locale, '_', '-')) as tag from facts
    )
    select person_id, age, gender, locale,
        case when contains(tag, '-') then [tag, split_part(tag, '-', 1)]
            when tag is not null then [tag] end as languages
    from written
    """,
    absent="not known to the shop",
    units={"age": "years"},
)

addresses = api.Base(
    "address",
    """
    select person_id, country, region, city, postcode, replace(postcode, ' ', '') as postal_code
    from people
    """,
    absent="not known to the shop",
)

# Shops leave the field empty where there are no tags. So nothing written means no tags where the shop gives tags at
# all, and unknown where it does not, or where the person has no account.
tags_of_accounts = api.Base(
    "tags of all their accounts",
    """
    with tagging as (select system from customers group by system having count(tags) > 0),
    held as (
        select customers.person_id, list_sort(list_distinct(flatten(list(coalesce(customers.tags, []))))) as tags
        from customers semi join tagging using (system)
        where customers.person_id is not null
        group by customers.person_id
    )
    select people.person_id, held.tags from people left join held using (person_id)
    """,
    absent="not known to the shop",
)


class DemographicConfig(api.Config):
    """Settings of demographic."""

    min_age: int | None = api.Field(
        default=None, ge=0, le=150, description="age in full years, at least", examples=[30]
    )
    max_age: int | None = api.Field(default=None, ge=0, le=150, description="age in full years, at most", examples=[45])
    genders: Texts = api.Field(default=None, min_length=1, description="as the shop writes them")
    locales: Texts = api.Field(
        default=None,
        min_length=1,
        description="languages, or languages with a country: de is all German, de-AT Austrian",
    )

    @field_validator("locales")
    @classmethod
    def _as_compared(cls, value: Texts) -> Texts:
        return None if value is None else tuple(each.lower().replace("_", "-") for each in value)

    @model_validator(mode="after")
    def _says_who(self) -> DemographicConfig:
        if self.min_age is None and self.max_age is None and not self.genders and not self.locales:
            raise ValueError("say who: min_age, max_age, genders or locales")
        if self.min_age is not None and self.max_age is not None and self.min_age > self.max_age:
            raise ValueError(f"min_age must not be more than max_age, not {self.min_age} and {self.max_age}")
        return self


class Demographic(api.Segment[DemographicConfig]):
    """People by age, gender and language.

    Who: people who fit all the settings given: full years of age from min_age to max_age on the day of the run in
    the shop's time zone (whoever was born on 29 February grows older on 1 March), one of genders, one of locales.
    Texts are compared whatever their case. Whoever's age, gender or locale is asked for and not known is out for
    insufficient data.

    Use it for: the right language and tone, birthday clubs, products made for some. Message that suits: in their
    language; never one that tells them how old they are.
    """

    name = "demographic"
    version = 1
    starter = False
    Config = DemographicConfig
    base = persons
    rule = (
        api.at_least("age", "$min_age"),
        api.at_most("age", "$max_age"),
        api.one_of("gender", "$genders"),
        api.has_any("languages", "$locales"),
    )
    evidence = ("age", "gender", "locale")


class GeographicConfig(api.Config):
    """Settings of geographic."""

    countries: tuple[Country, ...] | None = api.Field(
        default=None, min_length=1, description="ISO 3166-1 alpha-2, such as DK", examples=[("DK", "SE")]
    )
    regions: Texts = api.Field(default=None, min_length=1, description="states or provinces, as the shop writes them")
    cities: Texts = api.Field(default=None, min_length=1, description="cities, as the shop writes them")
    postcodes: tuple[Prefix, ...] | None = api.Field(
        default=None, min_length=1, description="beginnings of postcodes: 80 is 8000 to 8099; blanks do not matter"
    )

    @model_validator(mode="after")
    def _says_where(self) -> GeographicConfig:
        if not (self.countries or self.regions or self.cities or self.postcodes):
            raise ValueError("say where: countries, regions, cities or postcodes")
        return self


class Geographic(api.Segment[GeographicConfig]):
    """People by where they live.

    Who: people whose address fits all the settings given: one of countries, one of regions, one of cities, a
    postcode that begins with one of postcodes; whatever the case. The address is the customer's own; country and
    region come from the latest order where the account has none. Whoever's place is asked for and not known is out
    for insufficient data.

    Use it for: openings and events near by, delivery and weather, the law and holidays of a country. Message that
    suits: what is different where they live.
    """

    name = "geographic"
    version = 1
    starter = False
    Config = GeographicConfig
    base = addresses
    rule = (
        api.one_of("country", "$countries"),
        api.one_of("region", "$regions"),
        api.one_of("city", "$cities"),
        api.begins_with("postal_code", "$postcodes"),
    )
    evidence = ("country", "region", "city", "postcode")


class TagsConfig(api.Config):
    """Settings of tags."""

    any_of: Texts = api.Field(
        default=None, min_length=1, description="customers with at least one of these", examples=[("club",)]
    )
    all_of: Texts = api.Field(default=None, min_length=1, description="customers with every one of these")
    none_of: Texts = api.Field(
        default=None, min_length=1, description="customers with none of these", examples=[("wholesale", "staff")]
    )

    @model_validator(mode="after")
    def _says_which(self) -> TagsConfig:
        if not (self.any_of or self.all_of or self.none_of):
            raise ValueError("say which tags: any_of, all_of or none_of")
        return self


class Tags(api.Segment[TagsConfig]):
    """Customers by the shop's own tags.

    Who: people whose tags, of all their accounts together, hold one of any_of, every one of all_of, and none of
    none_of, as far as these are given; whatever the case. A customer without tags has none, where the shop gives
    tags at all. Where it does not, and for people without an account, nobody knows: they are out for insufficient
    data. Tags are as they were at the last pull, also for a past ``--as-of``.

    Use it for: clubs, wholesale, staff, whatever the shop marks by hand or by its apps; to leave them out of
    others. Message that suits: the one for members.
    """

    name = "tags"
    version = 1
    starter = False
    Config = TagsConfig
    base = tags_of_accounts
    rule = (
        api.has_any("tags", "$any_of"),
        api.has_all("tags", "$all_of"),
        api.has_none("tags", "$none_of"),
    )
    evidence = ("tags",)
