"""Names that the time zone database does not have: other names of countries, large cities, regions."""

from __future__ import annotations

_COUNTRIES = {
    "US": "America|USA|US|United States of America",
    "GB": "UK|United Kingdom|Great Britain|England|Scotland|Wales|Northern Ireland",
    "NL": "Holland|The Netherlands",
    "CZ": "Czechia",
    "KR": "South Korea|Korea",
    "KP": "North Korea",
    "AE": "UAE|Emirates",
    "MM": "Burma|Myanmar",
    "SZ": "Swaziland",
    "CI": "Ivory Coast",
    "CV": "Cape Verde",
    "MK": "Macedonia",
    "VA": "Vatican",
    "TR": "Turkiye",
    "BA": "Bosnia",
    "WS": "Samoa",
    "AS": "American Samoa",
    "TL": "East Timor",
    "CD": "DR Congo",
    "CG": "Republic of the Congo",
    "CN": "PRC",
    "LC": "Saint Lucia",
    "TT": "Trinidad",
    "AG": "Antigua",
    "RU": "Russian Federation",
    "DE": "Deutschland",
}
COUNTRY_NAMES = {name: code for code, names in _COUNTRIES.items() for name in names.split("|")}
"""Other names of countries, with the code of ISO 3166."""

MAIN_ZONES = frozenset(
    [
        "America/Argentina/Buenos_Aires",
        "America/Santiago",
        "Asia/Shanghai",
        "Asia/Nicosia",
        "Europe/Berlin",
        "America/Guayaquil",
        "Europe/Madrid",
        "America/Nuuk",
        "Asia/Almaty",
        "Asia/Ulaanbaatar",
        "Asia/Kuala_Lumpur",
        "Pacific/Auckland",
        "Pacific/Tahiti",
        "Pacific/Port_Moresby",
        "Asia/Gaza",
        "Europe/Lisbon",
        "Europe/Kyiv",
        "Asia/Tashkent",
        "Pacific/Majuro",
        "Pacific/Tarawa",
    ]
)
"""The zone of nearly all people, in countries where another zone covers a small or remote part."""

_CITIES = {
    "America/New_York": "Washington|Washington DC|Washington D.C.|NYC|New York City|Manhattan|Brooklyn|"
    "Boston|Miami|Atlanta|Philadelphia|Baltimore|Charlotte|Orlando|Tampa|Pittsburgh|Cleveland|Columbus|Cincinnati",
    "America/Chicago": "Houston|Dallas|Austin|San Antonio|Fort Worth|Minneapolis|St Louis|New Orleans|"
    "Nashville|Memphis|Milwaukee|Kansas City|Oklahoma City|Omaha",
    "America/Denver": "Salt Lake City|Albuquerque|Santa Fe|El Paso|Boulder|Colorado Springs",
    "America/Phoenix": "Tucson|Scottsdale",
    "America/Los_Angeles": "San Francisco|LA|Seattle|San Diego|Portland|Las Vegas|Sacramento|Oakland|"
    "Silicon Valley|Palo Alto|Mountain View|Hollywood",
    "America/Toronto": "Ottawa|Montreal|Quebec City",
    "America/Edmonton": "Calgary|Banff",
    "America/Mexico_City": "Guadalajara|Puebla",
    "America/Sao_Paulo": "Brasilia|Rio de Janeiro|Rio|Belo Horizonte|Porto Alegre|Curitiba",
    "America/Guayaquil": "Quito",
    "America/La_Paz": "Sucre",
    "America/Bogota": "Medellin|Cali|Cartagena",
    "Europe/London": "Edinburgh|Glasgow|Manchester|Birmingham|Liverpool|Cardiff|Leeds|Bristol|Oxford|Cambridge",
    "Europe/Paris": "Lyon|Marseille|Nice|Toulouse|Bordeaux|Strasbourg|Lille",
    "Europe/Berlin": "Munich|Muenchen|Munchen|Hamburg|Frankfurt|Cologne|Koeln|Koln|Stuttgart|Dusseldorf|"
    "Leipzig|Dresden|Hanover",
    "Europe/Rome": "Milan|Milano|Naples|Florence|Venice|Turin|Bologna|Palermo",
    "Europe/Madrid": "Barcelona|Seville|Valencia|Malaga|Bilbao|Mallorca",
    "Atlantic/Canary": "Tenerife|Gran Canaria|Las Palmas|Canary Islands",
    "Pacific/Galapagos": "Galapagos Islands",
    "Pacific/Easter": "Easter Island",
    "Europe/Zurich": "Bern|Geneva|Basel|Lausanne|Lucerne",
    "Europe/Amsterdam": "The Hague|Rotterdam|Utrecht|Eindhoven",
    "Europe/Brussels": "Antwerp|Ghent|Bruges",
    "Europe/Vienna": "Salzburg|Graz|Innsbruck|Linz",
    "Europe/Warsaw": "Krakow|Gdansk|Wroclaw",
    "Europe/Lisbon": "Porto|Faro",
    "Europe/Stockholm": "Gothenburg|Malmo",
    "Europe/Oslo": "Bergen|Trondheim",
    "Europe/Istanbul": "Ankara|Izmir|Antalya",
    "Europe/Moscow": "St Petersburg|Saint Petersburg|Sochi|Kazan",
    "Europe/Kyiv": "Kiev|Lviv|Odesa|Odessa|Kharkiv",
    "Asia/Jerusalem": "Tel Aviv|Haifa",
    "Asia/Riyadh": "Jeddah|Mecca|Medina",
    "Asia/Dubai": "Abu Dhabi|Sharjah",
    "Asia/Karachi": "Islamabad|Lahore|Faisalabad",
    "Asia/Kolkata": "India|Mumbai|Bombay|New Delhi|Delhi|Bangalore|Bengaluru|Chennai|Hyderabad|Pune|Calcutta|Goa",
    "Asia/Shanghai": "Beijing|Peking|Shenzhen|Guangzhou|Chengdu|Wuhan|Hangzhou|Nanjing|Tianjin",
    "Asia/Tokyo": "Osaka|Kyoto|Yokohama|Nagoya|Sapporo|Fukuoka|Hiroshima|Okinawa",
    "Asia/Seoul": "Busan|Incheon",
    "Asia/Ho_Chi_Minh": "Hanoi|Saigon|Da Nang|Ho Chi Minh City",
    "Asia/Bangkok": "Phuket|Chiang Mai|Pattaya",
    "Asia/Jakarta": "Bandung|Surabaya",
    "Asia/Makassar": "Bali|Denpasar",
    "Asia/Manila": "Cebu|Davao|Quezon City",
    "Asia/Almaty": "Astana",
    "Asia/Yangon": "Rangoon|Naypyidaw",
    "Australia/Sydney": "Canberra|Wollongong",
    "Australia/Brisbane": "Gold Coast|Cairns",
    "Pacific/Auckland": "Wellington|Christchurch|Queenstown",
    "Pacific/Honolulu": "Waikiki|Maui|Oahu",
    "Africa/Johannesburg": "Cape Town|Pretoria|Durban|Bloemfontein",
    "Africa/Lagos": "Abuja|Kano",
    "Africa/Casablanca": "Rabat|Marrakesh|Marrakech|Fez|Tangier",
    "Africa/Cairo": "Alexandria|Giza",
    "Africa/Nairobi": "Mombasa",
    "Africa/Dar_es_Salaam": "Dodoma|Zanzibar",
    "Africa/Abidjan": "Yamoussoukro",
    "Africa/Porto-Novo": "Cotonou",
    "UTC": "GMT|Zulu|Greenwich mean time|Coordinated universal time",
}

_ABBREVIATIONS = {
    "America/New_York": "EST EDT ET",
    "America/Chicago": "CST CDT CT",
    "America/Denver": "MST MDT MT",
    "America/Los_Angeles": "PST PDT PT",
    "America/Anchorage": "AKST AKDT",
    "Pacific/Honolulu": "HST",
    "Europe/London": "BST",
    "Europe/Lisbon": "WET WEST",
    "Europe/Paris": "CET CEST",
    "Europe/Helsinki": "EET EEST",
    "Asia/Kolkata": "IST",
    "Asia/Singapore": "SGT",
    "Asia/Hong_Kong": "HKT",
    "Asia/Tokyo": "JST",
    "Asia/Seoul": "KST",
    "Australia/Perth": "AWST",
    "Australia/Sydney": "AEST AEDT",
    "Pacific/Auckland": "NZST NZDT",
}

ALIASES = {
    **{name: zone for zone, names in _CITIES.items() for name in names.split("|")},
    **{name: zone for zone, names in _ABBREVIATIONS.items() for name in names.split()},
}
"""More cities, regions and abbreviations with their zones.

An abbreviation means the place, summer time included.
"""

_EAST, _CENTRAL, _MOUNTAIN = "America/New_York", "America/Chicago", "America/Denver"
_WEST = "America/Los_Angeles"
_STATES = {
    _EAST: "connecticut|delaware|florida|maine|maryland|massachusetts|new hampshire|new jersey|ohio|"
    "new york state|north carolina|pennsylvania|rhode island|south carolina|vermont|virginia|"
    "west virginia|michigan|indiana|kentucky",
    _CENTRAL: "alabama|arkansas|illinois|iowa|kansas|louisiana|minnesota|mississippi|missouri|nebraska|"
    "north dakota|oklahoma|south dakota|tennessee|texas|wisconsin",
    _MOUNTAIN: "colorado|montana|new mexico|utah|wyoming|idaho",
    _WEST: "california|nevada|oregon|washington state",
    "America/Phoenix": "arizona",
    "America/Anchorage": "alaska",
    "Pacific/Honolulu": "hawaii",
    "America/Toronto": "ontario|quebec",
    "America/Winnipeg": "manitoba",
    "America/Regina": "saskatchewan",
    "America/Edmonton": "alberta",
    "America/Vancouver": "british columbia",
    "America/Halifax": "nova scotia",
    "America/Moncton": "new brunswick",
    "America/St_Johns": "newfoundland",
    "America/Whitehorse": "yukon",
    "Australia/Sydney": "new south wales",
    "Australia/Melbourne": "victoria",
    "Australia/Brisbane": "queensland",
    "Australia/Perth": "western australia",
    "Australia/Adelaide": "south australia",
    "Australia/Hobart": "tasmania",
    "Australia/Darwin": "northern territory",
}
_ALSO = {
    **dict.fromkeys(("florida", "indiana", "kentucky", "michigan"), (_CENTRAL,)),
    **dict.fromkeys(("texas", "nebraska", "kansas", "north dakota", "south dakota"), (_MOUNTAIN,)),
    **dict.fromkeys(("nevada", "oregon"), (_MOUNTAIN, "America/Boise")),
    "tennessee": (_EAST,),
    "idaho": (_WEST, "America/Boise"),
    "ontario": ("America/Winnipeg",),
    "new south wales": ("Australia/Broken_Hill", "Australia/Lord_Howe"),
}
STATE_PREFIXES = {
    "indiana": "America/Indiana/",
    "kentucky": "America/Kentucky/",
    "north dakota": "America/North_Dakota/",
    "michigan": "America/Detroit",
    "alaska": "America/",
}
"""How the names of further zones that belong to a state begin."""

STATES = {state: (zone, *_ALSO.get(state, ())) for zone, states in _STATES.items() for state in states.split("|")}
"""States and provinces: the zone of most of its people first, then others that are used there."""
