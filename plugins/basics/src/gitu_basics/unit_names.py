"""The units, by kind.

A line: factor to the first unit of the kind (+ offset), plural, singular, other names.
"""

from __future__ import annotations

KINDS = {
    "length": """
        1 | metres | metre | m
        1/1000 | millimetres | millimetre | mm
        1/100 | centimetres | centimetre | cm
        1/10 | decimetres | decimetre | dm
        1000 | kilometres | kilometre | km | kms
        1/1000000 | micrometres | micrometre | um | micron
        1/1000000000 | nanometres | nanometre | nm
        0.0254 | inches | inch | in | "
        0.3048 | feet | foot | ft | '
        0.9144 | yards | yard | yd
        1609.344 | miles | mile | mi
        1852 | nautical miles | nautical mile | nmi | sea mile | sea miles
        149597870700 | astronomical units | astronomical unit | au
        9460730472580800 | light years | light year | ly | lightyear
    """,
    "mass": """
        1 | kilograms | kilogram | kg | kilo | kilogramme | kgs
        1/1000 | grams | gram | g | gramme
        1/1000000 | milligrams | milligram | mg
        1/1000000000 | micrograms | microgram | ug | mcg
        1000 | tonnes | tonne | t | ton | metric ton | metric tons
        0.45359237 | pounds | pound | lb | lbs
        0.028349523125 | ounces | ounce | oz
        6.35029318 | stone | stone | st | stones
        907.18474 | US tons | US ton | short ton | short tons
        1016.0469088 | long tons | long ton | imperial ton | imperial tons
        0.0002 | carats | carat | ct
        0.00006479891 | grains | grain | gr
    """,
    "temperature": """
        1 | kelvins | kelvin | K
        1 + 273.15 | °C | °C | C | Celsius | centigrade | degC
        5/9 + 45967/180 | °F | °F | F | Fahrenheit | degF
        5/9 | °R | °R | Rankine
    """,
    "volume": """
        1 | litres | litre | l | L | ltr | dm3 | cubic decimetre | cubic decimetres
        1/1000 | millilitres | millilitre | ml | mL | cc | cm3 | cubic centimetre | cubic centimetres
        1/100 | centilitres | centilitre | cl | cL
        1/10 | decilitres | decilitre | dl | dL
        100 | hectolitres | hectolitre | hl | hL
        1000 | cubic metres | cubic metre | m3
        3.785411784 | US gallons | US gallon | gal | gallon | gallons
        4.54609 | imperial gallons | imperial gallon | UK gallon | UK gallons
        0.946352946 | US quarts | US quart | qt | quart | quarts
        0.473176473 | US pints | US pint | pint | pints | pt
        0.56826125 | imperial pints | imperial pint | UK pint | UK pints
        0.2365882365 | US cups | US cup | cup | cups
        0.0295735295625 | US fluid ounces | US fluid ounce | fl oz | floz | fl. oz. | fluid ounces
        0.0284130625 | imperial fluid ounces | imperial fluid ounce | UK fluid ounce | UK fluid ounces
        0.01478676478125 | tablespoons | tablespoon | tbsp
        0.00492892159375 | teaspoons | teaspoon | tsp
        158.987294928 | barrels | barrel | bbl | oil barrel | oil barrels
        28.316846592 | cubic feet | cubic foot | ft3
        0.016387064 | cubic inches | cubic inch | in3
        764.554857984 | cubic yards | cubic yard | yd3
    """,
    "area": """
        1 | square metres | square metre | m2 | sqm
        1/10000 | square centimetres | square centimetre | cm2
        1/1000000 | square millimetres | square millimetre | mm2
        1000000 | square kilometres | square kilometre | km2 | sqkm
        10000 | hectares | hectare | ha
        100 | ares | are
        4046.8564224 | acres | acre | ac
        0.09290304 | square feet | square foot | ft2 | sqft
        0.00064516 | square inches | square inch | in2
        0.83612736 | square yards | square yard | yd2
        2589988.110336 | square miles | square mile | mi2
    """,
    "speed": """
        1 | metres per second | metre per second | m/s | mps
        5/18 | kilometres per hour | kilometre per hour | km/h | kmh | kph | kmph
        0.44704 | miles per hour | mile per hour | mph | mi/h
        0.3048 | feet per second | foot per second | ft/s | fps
        1852/3600 | knots | knot | kn | kt | kts
        299792458 | times the speed of light | times the speed of light | speed of light
    """,
    "time": """
        1 | seconds | second | s | sec
        1/1000 | milliseconds | millisecond | ms | msec
        1/1000000 | microseconds | microsecond | us
        1/1000000000 | nanoseconds | nanosecond | ns
        60 | minutes | minute | min
        3600 | hours | hour | h | hr
        86400 | days | day | d
        604800 | weeks | week | wk
        1209600 | fortnights | fortnight
        2629746 | months | month | mo
        31556952 | years | year | yr | y
        315569520 | decades | decade
        3155695200 | centuries | century
    """,
    "data": """
        1 | bytes | byte | B | octet
        1/8 | bits | bit | b
        1000 | kilobytes | kilobyte | kB | KB
        1000000 | megabytes | megabyte | MB
        1000000000 | gigabytes | gigabyte | GB | gig
        1000000000000 | terabytes | terabyte | TB
        1000000000000000 | petabytes | petabyte | PB
        1024 | kibibytes | kibibyte | KiB
        1048576 | mebibytes | mebibyte | MiB
        1073741824 | gibibytes | gibibyte | GiB
        1099511627776 | tebibytes | tebibyte | TiB
        125 | kilobits | kilobit | kbit | kb
        125000 | megabits | megabit | Mbit | Mb
        125000000 | gigabits | gigabit | Gbit | Gb
    """,
    "energy": """
        1 | joules | joule | J
        1000 | kilojoules | kilojoule | kJ
        1000000 | megajoules | megajoule | MJ
        4.184 | calories | calorie | cal
        4184 | kilocalories | kilocalorie | kcal | Cal | food calorie | food calories
        3600 | watt hours | watt hour | Wh
        3600000 | kilowatt hours | kilowatt hour | kWh
        3600000000 | megawatt hours | megawatt hour | MWh
        1055.05585262 | British thermal units | British thermal unit | BTU | btu
        1.602176634e-19 | electronvolts | electronvolt | eV
        1.3558179483314004 | foot pounds | foot pound | ft lb | ft lbf
    """,
    "pressure": """
        1 | pascals | pascal | Pa
        100 | hectopascals | hectopascal | hPa | millibar | mbar
        1000 | kilopascals | kilopascal | kPa
        1000000 | megapascals | megapascal | MPa
        100000 | bar | bar | bars
        101325 | atmospheres | atmosphere | atm
        6894.757293168361 | pounds per square inch | pound per square inch | psi | lb/in2 | lbf/in2
        101325/760 | torr | torr
        133.322387415 | millimetres of mercury | millimetre of mercury | mmHg
        3386.389 | inches of mercury | inch of mercury | inHg
    """,
}
"""Ton means the metric one, gallon, pint and cup the American ones; the results name the unit in full. A
month is a twelfth of the mean Gregorian year."""
