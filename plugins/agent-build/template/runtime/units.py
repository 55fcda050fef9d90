"""Units of measure: their names in English and Chinese, and what they are worth. Decimal arithmetic throughout."""
from __future__ import annotations

from decimal import Decimal
from typing import Dict, Optional, Tuple

from runtime.refusal import Refused

# Every unit: its factor to the kind's base unit, and the names people use for it.
_TABLE: Dict[str, Dict[str, Tuple[str, str]]] = {
    "length": {
        "mm": ("0.001", "millimeter millimetre 毫米"),
        "cm": ("0.01", "centimeter centimetre 厘米 公分"),
        "dm": ("0.1", "decimeter decimetre 分米"),
        "m": ("1", "meter metre mtr 米 公尺"),
        "km": ("1000", "kilometer kilometre kms klick 公里 千米"),
        "in": ("0.0254", "inch inches 英寸 英吋"),
        "ft": ("0.3048", "foot feet 英尺 英呎"),
        "yd": ("0.9144", "yard yds 码"),
        "mi": ("1609.344", "mile 英里 哩"),
        "nmi": ("1852", "nautical_mile 海里"),
        "li": ("500", "华里 里地"),
        "chi": ("1/3", "尺 市尺"),
        "cun": ("1/30", "寸 市寸"),
        "um": ("0.000001", "µm micrometer micrometre micron 微米"),
        "nm": ("0.000000001", "nanometer nanometre 纳米"),
    },
    "mass": {
        "mg": ("0.000001", "milligram 毫克"),
        "g": ("0.001", "gram gramme gr grm gms 克"),
        "kg": ("1", "kilogram kilogramme kilo kgs 公斤 千克"),
        "t": ("1000", "tonne metric_ton metric_tonne 吨 公吨"),
        "oz": ("0.028349523125", "ounce 盎司"),
        "lb": ("0.45359237", "pound lbs 磅"),
        "st": ("6.35029318", "stone 英石"),
        "ust": ("907.18474", "us_ton short_ton 短吨 美吨"),
        "ct": ("0.0002", "carat 克拉"),
        "jin": ("0.5", "斤 市斤"),
        "liang": ("0.05", "两 市两"),
        "qian": ("0.005", "钱 市钱"),
    },
    "volume": {
        "ml": ("0.001", "milliliter millilitre cc 毫升"),
        "cl": ("0.01", "centiliter centilitre 厘升"),
        "dl": ("0.1", "deciliter decilitre 分升"),
        "l": ("1", "liter litre ltr 升 公升"),
        "m3": ("1000", "m³ cubic_meter cubic_metre cbm 立方米"),
        "cm3": ("0.001", "cm³ cubic_centimeter cubic_centimetre 立方厘米"),
        "ft3": ("28.316846592", "ft³ cubic_foot cubic_feet 立方英尺"),
        "tsp": ("0.00492892159375", "teaspoon 茶匙"),
        "tbsp": ("0.01478676478125", "tablespoon tbs 汤匙"),
        "cup": ("0.2365882365", "cup_us 杯"),
        "pt": ("0.473176473", "pint 品脱"),
        "qt": ("0.946352946", "quart 夸脱"),
        "gal": ("3.785411784", "gallon us_gallon 加仑"),
        "impgal": ("4.54609", "imperial_gallon uk_gallon 英制加仑"),
        "floz": ("0.0295735295625", "fluid_ounce fl_oz 液盎司 液量盎司"),
    },
    "area": {
        "mm2": ("0.000001", "mm² square_millimeter square_millimetre 平方毫米"),
        "cm2": ("0.0001", "cm² square_centimeter square_centimetre 平方厘米"),
        "m2": ("1", "m² sqm sq_m square_meter square_metre 平方米 平米 平方"),
        "km2": ("1000000", "km² sq_km square_kilometer square_kilometre 平方公里 平方千米"),
        "ha": ("10000", "hectare 公顷"),
        "acre": ("4046.8564224", "英亩"),
        "in2": ("0.00064516", "in² square_inch square_inches 平方英寸"),
        "ft2": ("0.09290304", "ft² sqft sq_ft square_foot square_feet 平方英尺"),
        "yd2": ("0.83612736", "yd² square_yard 平方码"),
        "mi2": ("2589988.110336", "mi² square_mile 平方英里"),
        "mu": ("2000/3", "亩 市亩"),
    },
    "speed": {
        "m/s": ("1", "mps meters_per_second metres_per_second meter_per_second 米每秒 米/秒"),
        "km/h": ("1/3.6", "kmh kph kmph kilometers_per_hour kilometres_per_hour km_per_hour 公里每小时 千米每小时 公里/小时 千米/小时 公里/时"),
        "mph": ("0.44704", "miles_per_hour 英里每小时 英里/小时"),
        "kn": ("1852/3600", "knot 节"),
        "ft/s": ("0.3048", "fps feet_per_second 英尺每秒"),
    },
    "time": {
        "ms": ("0.001", "millisecond 毫秒"),
        "s": ("1", "sec second 秒 秒钟"),
        "min": ("60", "minute mins 分钟"),
        "h": ("3600", "hr hour hrs 小时 钟头"),
        "d": ("86400", "day 天 日"),
        "wk": ("604800", "week 周 星期 礼拜"),
        "yr": ("31536000", "year 年"),
    },
    "data": {
        "bit": ("0.125", "比特"),
        "b": ("1", "byte 字节"),
        "kb": ("1000", "kilobyte"),
        "mb": ("1000000", "megabyte 兆 兆字节"),
        "gb": ("1000000000", "gigabyte gig 吉字节"),
        "tb": ("1000000000000", "terabyte 太字节"),
        "pb": ("1000000000000000", "petabyte"),
        "mbit": ("125000", "megabit"),
        "gbit": ("125000000", "gigabit"),
        "kib": ("1024", "kibibyte"),
        "mib": ("1048576", "mebibyte"),
        "gib": ("1073741824", "gibibyte"),
        "tib": ("1099511627776", "tebibyte"),
    },
    "temperature": {
        "c": ("1", "°c ℃ celsius centigrade celcius degrees_c degree_c degrees_celsius degree_celsius 摄氏度 摄氏"),
        "f": ("1", "°f ℉ fahrenheit farenheit fahrenhiet degrees_f degree_f degrees_fahrenheit degree_fahrenheit 华氏度 华氏"),
        "k": ("1", "kelvin degrees_kelvin 开尔文 开氏度"),
    },
    "energy": {
        "j": ("1", "joule 焦耳 焦"),
        "kj": ("1000", "kilojoule 千焦 千焦耳"),
        "cal": ("4.184", "calorie 卡路里 卡"),
        "kcal": ("4184", "kilocalorie 千卡 大卡"),
        "wh": ("3600", "watt_hour 瓦时"),
        "kwh": ("3600000", "kilowatt_hour 千瓦时 度电"),
        "btu": ("1055.05585262", "british_thermal_unit"),
    },
    "power": {
        "w": ("1", "watt 瓦 瓦特"),
        "kw": ("1000", "kilowatt 千瓦"),
        "mw": ("1000000", "megawatt 兆瓦"),
        "hp": ("745.69987158227022", "horsepower bhp 马力"),
    },
    "pressure": {
        "pa": ("1", "pascal 帕 帕斯卡"),
        "hpa": ("100", "hectopascal 百帕"),
        "kpa": ("1000", "kilopascal 千帕"),
        "bar": ("100000", "巴"),
        "mbar": ("100", "millibar 毫巴"),
        "psi": ("6894.757293168361", "pounds_per_square_inch"),
        "atm": ("101325", "atmosphere 大气压 标准大气压"),
        "mmhg": ("133.322387415", "torr 毫米汞柱"),
    },
}


_ZH_KINDS = {"length": "长度", "mass": "质量", "volume": "体积", "area": "面积", "speed": "速度", "time": "时间", "data": "数据量", "temperature": "温度",
             "energy": "能量", "power": "功率", "pressure": "压力"}


def _value(text: str) -> Decimal:
    upper, _, lower = text.partition("/")
    return Decimal(upper) / Decimal(lower) if lower else Decimal(upper)


UNITS: Dict[str, Dict[str, Tuple[Decimal, str]]] = {
    kind: {symbol: (_value(factor), names) for symbol, (factor, names) in units.items()} for kind, units in _TABLE.items()
}
NAMES: Dict[str, Tuple[str, str]] = {}
for _kind, _units in UNITS.items():
    for _symbol, (_factor, _names) in _units.items():
        NAMES[_symbol] = (_kind, _symbol)
        for _name in _names.split():
            NAMES[_name.replace("_", " ")] = (_kind, _symbol)
del NAMES["ust"], NAMES["impgal"], NAMES["cup us"]


def find_unit(name: str) -> Optional[Tuple[str, str]]:
    """Return (kind, symbol) for a unit's symbol or name in English (plural too) or Chinese, or None."""
    key = " ".join(name.strip().lower().rstrip(".").split())
    if key in NAMES:
        return NAMES[key]
    for singular in (key[:-1] if key.endswith("s") and len(key) > 2 else "", key.replace("s per ", " per ", 1)):
        if singular in NAMES:
            return NAMES[singular]
    return None


def convert(value: "Decimal | float | int | str", from_unit: str, to_unit: str) -> Tuple[str, str, str, Decimal]:
    """Convert a value: (kind, source symbol, target symbol, result). ValueError when that cannot be."""
    number = value if isinstance(value, Decimal) else Decimal(str(value))
    source, target = find_unit(from_unit) or _symbol_of(from_unit), find_unit(to_unit) or _symbol_of(to_unit)
    if source is None or target is None:
        name = from_unit if source is None else to_unit
        raise Refused("unknown unit: %s" % name, "不认识的单位：%s" % name)
    if source[0] != target[0]:
        raise Refused("%s is a unit of %s, %s one of %s: one cannot be converted into the other" % (source[1], source[0], target[1], target[0]),
                      "%s 是%s单位，%s 是%s单位，不能互相换算" % (source[1], _ZH_KINDS[source[0]], target[1], _ZH_KINDS[target[0]]))
    if source[0] == "temperature":
        result = _temperature(number, source[1], target[1])
    else:
        result = number * UNITS[source[0]][source[1]][0] / UNITS[target[0]][target[1]][0]
    # 28 digits of arithmetic, of which the last ones are noise of a division.
    return source[0], source[1], target[1], +result.quantize(Decimal(1).scaleb(result.adjusted() - 14)) if result else Decimal(0)


def _symbol_of(name: str) -> Optional[Tuple[str, str]]:
    return next(((kind, name) for kind, units in UNITS.items() if name in units), None)


def _temperature(value: Decimal, source: str, target: str) -> Decimal:
    celsius = {"c": value, "f": (value - 32) * 5 / 9, "k": value - Decimal("273.15")}[source]
    if celsius < Decimal("-273.15"):
        raise Refused("that is below absolute zero", "低于绝对零度")
    return {"c": celsius, "f": celsius * 9 / 5 + 32, "k": celsius + Decimal("273.15")}[target]
