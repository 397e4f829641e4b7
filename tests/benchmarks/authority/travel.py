"""What the authors of the travel tools would say of them."""

from __future__ import annotations

from gitu_core.model import ToolSpec
from tests.benchmarks.authority import workspace

_READS = (
    "get_all_hotels_in_city get_hotels_prices get_rating_reviews_for_hotels get_hotels_address "
    "get_all_restaurants_in_city get_cuisine_type_for_restaurants get_restaurants_address "
    "get_rating_reviews_for_restaurants get_dietary_restrictions_for_all_restaurants "
    "get_contact_information_for_restaurants get_price_for_restaurants check_restaurant_opening_hours "
    "get_all_car_rental_companies_in_city get_car_types_available get_rating_reviews_for_car_rental "
    "get_car_fuel_options get_car_rental_address get_car_price_per_day get_flight_information"
)

_OWN = [
    ToolSpec("get_user_information", "The user's own data, passport and card included.", writers={"": "system"},
             records={"ID Number": "secret", "Phone Number": "secret", "Passport Number": "secret",
                      "Bank Account Number": "secret", "Credit Card Number": "secret"}),
    *(ToolSpec(name, "What others say of it.", writers={"": "outside"}) for name in _READS.split(" ")),
]  # fmt: skip


def _reserves(name: str, what: str, nouns: tuple[str, ...], **times: str) -> ToolSpec:
    asked = tuple(f"{verb} {noun}" for verb in ("book", "reserve", "rent", "make") for noun in nouns)
    return ToolSpec(name, "Reserves.", effects=("spend",), roles={what: f"reference:{what}", **times}, reversible=True,
                    asked=(*asked, "make reservation", "make booking"))  # fmt: skip


_ACTING = [
    _reserves("reserve_hotel", "hotel", ("hotel", "room", "stay"), start_day="when", end_day="when"),
    _reserves("reserve_restaurant", "restaurant", ("restaurant", "table", "lunch", "dinner"), start_time="when"),
    _reserves("reserve_car_rental", "company", ("car", "rental", "vehicle"), start_time="when", end_time="when"),
]

_SHARED = ("send_email", "create_calendar_event", "cancel_calendar_event", "search_calendar_events",
           "get_day_calendar_events")  # fmt: skip

TOOLS = {spec.name: spec for spec in (*_OWN, *_ACTING, *(workspace.TOOLS[name] for name in _SHARED))}  # fmt: skip
