"""The words that questions about prices are told by, in both languages."""
from __future__ import annotations

import re

ABOUT = re.compile(
    r"\b(?:how much|prices?|priced?|pricing|costs?|total|pay|expensive|cheap\w*|charge|quote|order|bill|fee|fees|rate|rates|buy|afford|worth|sum|come to|comes to|set me back|altogether|owe)\b|how mutch|"
    r"多少钱|价格|价钱|总价|一共|总共|贵|便宜|怎么卖|报价|单价|合计|几块|几元|多少元|什么价|收费|费用|要付|花费|加起来|多少一|一[个斤份杯只张]多少"
)
CHEAPEST = re.compile(r"\b(?:cheapest|cheaper|least expensive|less expensive|lowest[- ]priced?|lowest price|costs? (?:the )?least|costs? less|best price)\b|最便宜|更便宜|便宜(?:些|点|一点)|哪个便宜|谁便宜|价格最低|最低价|最实惠")
DEAREST = re.compile(r"\b(?:most expensive|dearest|priciest|pricier|more expensive|highest[- ]priced?|highest price|costs? (?:the )?most|costs? more)\b|最贵|更贵|比较贵|哪个贵|谁贵|价格最高|最高价")
LIST = re.compile(
    r"\b(?:list all|all (?:the |your )?(?:prices|items|products|options)|price ?list|all items|which items|what items|what (?:do|can) (?:you|i|we) (?:sell|have|offer|serve|order|buy|get)|what(?:'s| is) (?:available|on (?:the|your) (?:menu|list))|what have you got|what all do you|"
    r"^(?:what(?:'s| is| are) )?(?:the |your )?(?:ticket|entry|entrance|admission)?\s*(?:prices|fees|rates|entry fee|price)\W*$|how much (?:is|are) (?:it|entry|admission|entrance|tickets?|the tickets?|a ticket|everything)(?! with)\W*$|"
    r"list (?:the |your )?prices|show (?:me )?(?:the |your |all )?(?:prices|menu|list|price)|menu|your prices|the prices|what are (?:the|your) prices|full list|everything you (?:sell|have)|what (?:products|drinks|dishes|services|courses|treatments|classes|options|kinds?|sorts?|types?)\b.{0,30}\b(?:are there|do you (?:have|offer|sell)|available|have you))\b|"
    r"所有价格|全部价格|价目表?|价格表|有(?:什么|哪些|啥)(?:(?:可以|能)?(?:卖|买|吃|喝|点|选)的?|商品|东西|服务|项目|产品|套餐|饮料|菜品?|票|课程?|种类|品种|口味)?[？?呢啊呀]*$|列出|都有什么|都卖什么|卖什么|菜单|都有啥|全部商品"
)
HAVE = re.compile(r"\b(?:do you (?:also |even |guys )*[a-z]+|have you got|is there|are there|can i (?:get|have|buy|order)|got any|sell any)\b|有没有|有.{1,10}[吗么]|卖.{1,10}吗|卖不卖")
MANY = re.compile(r"\bhow many\b|(?:能|可以|够)[\u4e00-\u9fff]?(?:多少|几)|买得起几|买多少|买几")
BUY = re.compile(r"\b(?:buy|afford|get|purchase|for|with)\b|买|够|能.[几多]|可以.[几多]")
ENOUGH = re.compile(r"\b(?:enough|afford|suffice|within (?:a )?budget|too little)\b|够不够|够吗|够买|买得起|够了吗|够付")
PAID = re.compile(r"\b(?:pay(?:ing)? with|paid|give you|hand(?:ed)? (?:over|you)|change|out of|back from|from a|left (?:over|from)|have left|i (?:only )?have|i've got|i got|with)\b|找(?:我|回|零|多少|您|给)|付(?:了|你)?|给(?:你|您|了)|剩|带了|我有|只有|手里")
UNDER = re.compile(r"\b(?:under|below|less than|cheaper than|at most|up to|no more than|within|max(?:imum)?|not over|or less|for less than)\b|以下|以内|低于|不到|不超过|少于|小于|便宜于|之内|内的")
OVER = re.compile(r"\b(?:over|above|more than|at least|from|starting at|or more|costs? more than|higher than)\b|以上|高于|超过|大于|多于|至少")
BETWEEN = re.compile(r"\bbetween\b|\bfrom\b.*\bto\b|到|至|之间|[-–~]")
DIFFERENCE = re.compile(r"\b(?:difference|compare|versus|vs|how much (?:more|less|cheaper)|cheaper|dearer)\b|相差|差多少|差价|差几|比较|贵多少|便宜多少|对比|比")
DISCOUNT_WORD = re.compile(r"\b(?:discount|off|rebate|reduction|reduced|voucher|coupon|less)\b|折扣|优惠|减|便宜|折")
ADDED_WORD = re.compile(r"\b(?:vat|tax|gst|tip|service charge|surcharge|sales tax|gratuity|plus|add(?:ed)?)\b|税|小费|服务费|加收")
EVERYTHING = re.compile(r"\b(?:one of each|one of every(?:thing)?|each of (?:them|these)|everything|all of (?:them|it))\b|每样(?:一|各|来)|每种(?:一|各|来)|各来?一|全部(?:各|都)?(?:买|来|要)|全都要")
OTHER_QUESTION = re.compile(r"^\W*(?:how (?:early|long|often|do|can|does|is|are|big|old|far|come)|when|where|who|why|what time|what(?:'s| is| are) (?:in|the difference)|does|is (?:it|the)|are (?:they|the)|can (?:i|you|we) (?!get|have|buy|order|pay)|do (?:i|we) |any (?:student|senior|member)?\s*discount)\b|什么时候|怎么(?!卖)|为什么|在哪|哪里|几点|含有?|有没有(?:糖|奶|坚果)|提前|谁|哪(?:个|位)(?:医生|老师|师傅|教练|技师|大夫|人)|^(?:要|需要|必须|一定要|非要)(?!多少)[^\d一二两三]{1,8}[吗么]")
# Who does a thing is no question for its price: 洗牙找哪个医生.
WHO = re.compile(r"\bwho\b|谁|哪(?:个|位)(?:医生|老师|师傅|教练|技师|大夫|人)|^(?:要|需要|必须|一定要|非要)(?!多少)[^\d一二两三]{1,8}[吗么]")
STRICTLY = re.compile(r"\b(?:how much|prices?|costs?|cheap\w*|expensive|total|pay|enough|change|euros?|dollars?)\b|多少钱|价|一共|总共|贵|便宜|怎么卖|够|[$€£¥元]")
# A follow-up that adds to the order of before, and does not begin another one.
ADDS = re.compile(r"^\W*(?:and\s+)?(?:with|plus|add|also|as well as|together with)\b|^\W*(?:and|plus)\b.*\b(?:as well|too|on top|in addition)\b|^(?:再加|加上|再来|再要|还要|另外加|外加|加)")
