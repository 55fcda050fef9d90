"""Units of measure: their names in English and Chinese, and what they are worth."""
from __future__ import annotations

from typing import Dict, Optional, Tuple

# Every unit: its factor to the kind's base unit, and the names people use for it.
UNITS: Dict[str, Dict[str, Tuple[float, str]]] = {
    "length": {
        "mm": (0.001, "millimeter millimetre 毫米"),
        "cm": (0.01, "centimeter centimetre 厘米 公分"),
        "m": (1.0, "meter metre 米"),
        "km": (1000.0, "kilometer kilometre 公里 千米"),
        "in": (0.0254, "inch inches 英寸"),
        "ft": (0.3048, "foot feet 英尺"),
        "yd": (0.9144, "yard 码"),
        "mi": (1609.344, "mile 英里"),
        "nmi": (1852.0, "nautical_mile 海里"),
        "li": (500.0, "华里"),
    },
    "mass": {
        "mg": (1e-6, "milligram 毫克"),
        "g": (0.001, "gram gramme 克"),
        "kg": (1.0, "kilogram kilo 公斤 千克"),
        "t": (1000.0, "tonne metric_ton 吨"),
        "oz": (0.028349523125, "ounce 盎司"),
        "lb": (0.45359237, "pound lbs 磅"),
        "st": (6.35029318, "stone 英石"),
        "jin": (0.5, "斤 市斤"),
        "liang": (0.05, "市两"),
    },
    "volume": {
        "ml": (0.001, "milliliter millilitre 毫升"),
        "cl": (0.01, "centiliter centilitre 厘升"),
        "l": (1.0, "liter litre 升"),
        "m3": (1000.0, "m³ cubic_meter cubic_metre 立方米"),
        "tsp": (0.00492892159375, "teaspoon 茶匙"),
        "tbsp": (0.01478676478125, "tablespoon 汤匙"),
        "cup": (0.2365882365, "杯"),
        "pt": (0.473176473, "pint 品脱"),
        "qt": (0.946352946, "quart 夸脱"),
        "gal": (3.785411784, "gallon 加仑"),
        "floz": (0.0295735295625, "fluid_ounce 液盎司"),
    },
    "area": {
        "cm2": (0.0001, "cm² square_centimeter square_centimetre 平方厘米"),
        "m2": (1.0, "m² sqm square_meter square_metre 平方米 平米"),
        "km2": (1e6, "km² square_kilometer square_kilometre 平方公里"),
        "ha": (10000.0, "hectare 公顷"),
        "acre": (4046.8564224, "英亩"),
        "ft2": (0.09290304, "ft² sqft square_foot square_feet 平方英尺"),
        "mu": (2000.0 / 3.0, "亩"),
    },
    "speed": {
        "m/s": (1.0, "mps 米每秒"),
        "km/h": (1 / 3.6, "kmh kph 公里每小时 千米每小时"),
        "mph": (0.44704, "英里每小时"),
        "kn": (1852 / 3600, "knot 节"),
    },
    "time": {
        "ms": (0.001, "millisecond 毫秒"),
        "s": (1.0, "sec second 秒"),
        "min": (60.0, "minute 分钟"),
        "h": (3600.0, "hr hour 小时"),
        "d": (86400.0, "day 天"),
        "wk": (604800.0, "week 周 星期"),
        "yr": (31557600.0, "year 年"),
    },
    "data": {
        "bit": (0.125, "比特"),
        "b": (1.0, "byte 字节"),
        "kb": (1e3, "kilobyte"),
        "mb": (1e6, "megabyte 兆"),
        "gb": (1e9, "gigabyte"),
        "tb": (1e12, "terabyte"),
        "kib": (1024.0, "kibibyte"),
        "mib": (1024.0**2, "mebibyte"),
        "gib": (1024.0**3, "gibibyte"),
    },
    "temperature": {
        "c": (1.0, "°c ℃ celsius centigrade 摄氏度 摄氏"),
        "f": (1.0, "°f ℉ fahrenheit 华氏度 华氏"),
        "k": (1.0, "kelvin 开尔文"),
    },
    "energy": {
        "j": (1.0, "joule 焦耳"),
        "kj": (1000.0, "kilojoule 千焦"),
        "cal": (4.184, "calorie 卡路里"),
        "kcal": (4184.0, "kilocalorie 千卡 大卡"),
        "wh": (3600.0, "watt_hour 瓦时"),
        "kwh": (3.6e6, "kilowatt_hour 千瓦时 度电"),
    },
}

NAMES: Dict[str, Tuple[str, str]] = {}
for _kind, _units in UNITS.items():
    for _symbol, (_factor, _names) in _units.items():
        NAMES[_symbol] = (_kind, _symbol)
        for _name in _names.split():
            NAMES[_name.replace("_", " ")] = (_kind, _symbol)


def find_unit(name: str) -> Optional[Tuple[str, str]]:
    """Return (kind, symbol) for a unit's symbol or name in English (plural too) or Chinese, or None."""
    key = name.strip().lower().rstrip(".")
    if key in NAMES:
        return NAMES[key]
    return NAMES.get(key[:-1]) if key.endswith("s") and len(key) > 3 else None


def convert(value: float, from_unit: str, to_unit: str) -> Tuple[str, str, str, float]:
    """Convert a value: (kind, source symbol, target symbol, result). ValueError when that cannot be."""
    source, target = find_unit(from_unit), find_unit(to_unit)
    if source is None or target is None:
        raise ValueError("unknown unit: %s" % (from_unit if source is None else to_unit))
    if source[0] != target[0]:
        raise ValueError("%s is a unit of %s, %s one of %s" % (source[1], source[0], target[1], target[0]))
    if source[0] == "temperature":
        result = _temperature(value, source[1], target[1])
    else:
        result = value * UNITS[source[0]][source[1]][0] / UNITS[target[0]][target[1]][0]
    return source[0], source[1], target[1], float("%.12g" % result)


def _temperature(value: float, source: str, target: str) -> float:
    celsius = {"c": value, "f": (value - 32) * 5 / 9, "k": value - 273.15}[source]
    if celsius < -273.15 - 1e-9:
        raise ValueError("that is below absolute zero")
    return {"c": celsius, "f": celsius * 9 / 5 + 32, "k": celsius + 273.15}[target]
