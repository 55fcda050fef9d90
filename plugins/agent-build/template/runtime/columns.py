"""Which columns of a table a question asks for: by their names, or by the words people ask with ("when", "how much", 在哪)."""
from __future__ import annotations

import re
from typing import List, Sequence, Tuple

from runtime.text import has_cjk, stem

# Words of a question, and words of column names that they ask for. The order is the order of trust.
_ASKED_BY: List[Tuple[str, str]] = [
    (r"\b(?:phone|telephone|call|reach|dial|mobile|cell|ring|tel)\b|电话|手机|打给|联系", "phone telephone tel mobile cell contact extension ext 电话 手机 联系方式 联系电话 分机"),
    (r"\b(?:e-?mail|mail|write to)\b|邮箱|邮件", "email e-mail mail 邮箱 电子邮件 邮件"),
    (r"\b(?:how much|price|cost|costs|fee|charge|pay|expensive|cheap\w*)\b|多少钱|价格|费用|学费|收费|票价|贵|便宜", "price cost fee rate rent tuition amount 价格 费用 学费 单价 票价 租金 收费 金额"),
    (r"\b(?:earns?|salary|paid|wage|makes?)\b|工资|薪水|薪资|挣", "salary wage pay income 工资 薪水 薪资 月薪"),
    (r"\b(?:when|what time|what day|which day|date|due|deadline|start|starts|begin|begins|depart\w*|leaves?)\b|什么时候|几点|何时|哪天|时间|日期|几号|周几|星期几", "time date day when start starts due deadline departure departs schedule hours 时间 日期 星期 开始 上课时间 出发 发车 截止 周几"),
    (r"\b(?:arrive\w*|arrival|gets? (?:in|there))\b|到达|到站", "arrival arrives end 到达 到站"),
    (r"\b(?:where|location|located|address|place|room|find it|which (?:room|floor|building|city|aisle|shelf))\b|在哪|哪里|哪儿|地址|地点|位置|几楼|哪个(?:教室|房间|城市)", "location address place room where city floor building venue aisle shelf position country site 地点 地址 位置 教室 房间 城市 楼层 货架 场地 区"),
    (r"\b(?:who|whom|whose|teach\w*|instructor|taught by|runs?|led by|leads?|responsible|manager|in charge)\b|谁|老师|教练|负责|哪位", "teacher instructor trainer owner manager coach lead contact person responsible doctor author name 老师 教师 教练 负责人 主管 联系人 讲师 医生 作者 姓名"),
    (r"\b(?:how long|duration|length|lasts?)\b|多久|多长|时长|几分钟|几个小时", "duration length minutes hours time 时长 长度 分钟 课时"),
    (r"\b(?:how many|number of|capacity|seats?|stock|left|available|quantity)\b|多少|几个|几人|人数|库存|容纳|数量|剩", "stock quantity seats capacity available units students participants places count amount 库存 数量 人数 座位 容量 名额 剩余"),
    (r"\b(?:how old|age)\b|多大|几岁|年龄", "age 年龄 岁数"),
    (r"\b(?:how (?:tall|high)|height)\b|多高|高度|身高", "height altitude elevation 高度 身高 海拔"),
    (r"\b(?:how (?:heavy|much does .* weigh)|weight|weigh)\b|多重|重量|体重", "weight mass kg 重量 体重"),
    (r"\b(?:how far|distance)\b|多远|距离", "distance km miles 距离"),
    (r"\b(?:how (?:big|large)|size|area)\b|多大|面积|尺寸", "size area sqm dimensions 面积 大小 尺寸"),
    (r"\b(?:what colou?r|colou?r)\b|什么颜色|颜色", "color colour 颜色"),
    (r"\b(?:department|team|which (?:department|team)|works? in)\b|部门|哪个(?:部门|组)", "department team unit division 部门 团队 小组"),
    (r"\b(?:level|how hard|difficult\w*)\b|难度|级别|等级", "level difficulty grade 难度 级别 等级"),
]


def named_columns(question: str, columns: Sequence[str]) -> List[str]:
    """The columns that a question names, in the table's order."""
    lower = question.lower()
    words = {stem(word) for word in re.findall(r"[a-z0-9]+", lower)}
    found = []
    for column in columns:
        if has_cjk(column):
            bare = re.sub(r"[（(].*?[）)]|\s", "", column)
            if bare and (bare in question or (len(bare) > 2 and bare[-2:] in question) or (len(bare) == 4 and bare[:2] in question)):
                found.append(column)
        else:
            parts = [stem(part) for part in re.findall(r"[a-z0-9]+", re.sub(r"[(\[].*?[)\]]", "", column.lower()))]
            if parts and all(part in words for part in parts):
                found.append(column)
    return found


def asked_columns(question: str, columns: Sequence[str]) -> List[str]:
    """The columns that a question asks for without naming them: "when" asks for a date, 在哪 for a place."""
    lower = question.lower()
    for words, names in _ASKED_BY:
        if not re.search(words, lower):
            continue
        for name in names.split():
            for column in columns:
                bare = re.sub(r"[(\[（].*?[)\]）]", "", column.lower())
                if (has_cjk(name) and name in bare) or (not has_cjk(name) and stem(name) in {stem(word) for word in re.findall(r"[a-z]+", bare)}):
                    return [column]
    return []


def without_asking(text: str) -> str:
    """A question without the words that ask for a column, to see what else it names."""
    for words, _ in _ASKED_BY:
        text = re.sub(words, " ", text)
    return text
