"""More agents with their data, and what is asked of them: what people shorten, leave out or say otherwise."""
from conversations import categories, faq, hours, notes, price, prices, rates, table

MORE_CONVERSATIONS = [
    {"name": "Freelancer", "tools": ["price_list"], "data": [prices(price("design", "75", "USD", "h"), price("development", "95", "USD", "h"), price("copywriting", "0.20", "USD", "word"))], "sessions": [
        [("10h dev + 4h design", "1250")],
        [("800 words of copy", "160")],
        [("how much is a car", "refuse")],
    ]},
    {"name": "Taproom", "tools": ["price_list", "notes_search"], "data": [prices(price("Tours", "15", "USD", "person")), notes("I sell candles online.", "Dogs welcome.")], "sessions": [
        [("tour for 6 ppl how much", "90")],
        [("do you have lavender candles?", "!I sell candles")],
    ]},
    {"name": "牙科", "language": "zh", "tools": ["price_list"], "data": [prices(price("补牙", "300", "元", "颗"), price("洗牙", "198", "元"))], "sessions": [
        [("补3颗牙多少钱", "900")],
        [("补两颗牙多少钱", "600")],
        [("洗牙找哪个医生", "!198")],
    ]},
    {"name": "Cabin", "tools": ["notes_search", "price_list"], "data": [
        prices(price("Late checkout", "30")),
        notes("The boiler switch is behind the kitchen door.", "Check-in from 3pm, check out by 10am please!", "Firewood is in the shed, max two baskets per stay.", "Bins go out on Thursday night.",
              "If the power goes out, the fuse box is in the hallway cupboard.", "Kids welcome.", "No smoking inside.")], "sessions": [
        [("no electricity! what now", "fuse box")],
        [("where do i find wood for the fire", "shed")],
        [("when do we have to leave", "10am")],
        [("can we leave later? what does it cost", "30")],
        [("can we bring the baby", "welcome")],
    ]},
    {"name": "Club", "tools": ["table_lookup"], "data": [table("Groups", ["group", "age", "coach"], ["Tadpoles", "5-7", "Priya"], ["Dolphins", "8-11", "Tom"], ["Sharks", "12-16", "Agnes"])], "sessions": [
        [("my son is 9, which group", "Dolphins", "!Sharks")],
        [("my daughter is 30, which group", "!Sharks")],
    ]},
    {"name": "Studio", "tools": ["opening_hours", "notes_search"], "data": [hours(("studio", (3, 5), "17:00", "21:00")), notes("Firing takes about 2 weeks.", "We dont ship, pick up only.")], "sessions": [
        [("open a ticket: heater broken", "refuse")],
        [("how long does firing take", "2 weeks")],
    ]},
    {"name": "Helpdesk", "tools": ["faq_answers"], "data": [faq(("VPN keeps disconnecting", "Update the client to 5.2."), ("How do I get a second monitor?", "Ask your team lead."))], "sessions": [
        [("vpn drops all the time", "5.2")],
        [("i need another screen", "team lead")],
    ]},
    {"name": "售后", "language": "zh", "tools": ["faq_answers"], "data": [faq(("能不能退货？", "七天无理由退货，吊牌不能剪。"), ("运费谁出？", "质量问题我们出，其他情况买家承担。"), ("多久发货？", "48小时内发货。"))], "sessions": [
        [("退货邮费我出吗", "买家承担")],
        [("想退，怎么退", "七天")],
    ]},
    {"name": "手册", "language": "zh", "tools": ["notes_search", "date_calculator"], "data": [notes("报销每月25号前提交，发票抬头写公司全称", "试用期三个月", "餐补每天20元")], "sessions": [
        [("公司有没有班车", "refuse")],
        [("试用期多久", "三个月")],
        [("明天放假吗", "refuse")],
    ]},
    {"name": "税", "language": "zh", "tools": ["notes_search"], "data": [notes("税率13%")], "sessions": [
        [("怎么少交税", "refuse")],
        [("税率是多少", "13%")],
    ]},
    {"name": "Severity", "tools": ["text_classifier"], "data": [categories(critical="data loss|outage", medium="slow|wrong label")], "sessions": [
        [("search is very slow", "medium")],
        [("search for shoes", "refuse")],
    ]},
    {"name": "Dice", "tools": ["random_generator"], "sessions": [
        [("average of 3d6+2?", "12.5", "20")],
        [("roll 4d1+2", "6")],
        [("whats the maximum of 2d8+1", "17")],
    ]},
    {"name": "Dates", "tools": ["date_calculator"], "sessions": [
        [("how many days from 03/15/2026 to 04/10/2026", "26 days")],
        [("how many days from 15/03/2026 to 04/10/2026", "203 days")],
        [("how many days from 03/05/2026 to 04/10/2026", "refuse")],
        [("joined 1 Feb 2019, how many years of service on 1 Feb 2026?", "7 years")],
    ]},
    {"name": "Money", "tools": ["finance_calculator"], "data": [notes("VAT at 19%")], "sessions": [
        [("vat on 1,250", "237.5")],
        [("gross for net 480", "571.2")],
        [("total interest on 100k, 5%, 10 years", "27278.62")],
        [("vat on 1,250 at 7%", "87.5")],
        [("300k at 5% 30 years monthly?", "1610.46")],
        [("250k @ 4.2% 25y", "1347.36")],
        [("进价60卖90赚多少", "30")],
    ]},
    {"name": "游泳馆", "language": "zh", "tools": ["price_list"], "data": [prices(price("单次票成人", "40", "元"), price("单次票儿童", "25", "元"), price("泳帽", "15", "元"), price("普洱饼", "200", "元"))], "sessions": [
        [("两大一小多少钱", "105")],
        [("要戴泳帽吗", "!15")],
        [("普洱3饼多少钱", "600")],
    ]},
    {"name": "Farm", "tools": ["price_list", "notes_search"], "data": [
        prices(price("eggs", "3.60", per="dozen"), price("Adult swim", "5.20"), price("swim kids", "3.10", base="swim", variant="kids")),
        notes("Adult swim 5.20, kids (3-15) 3.10, under 3s free, family card (2 adults + up to 3 kids) 14.50.")], "sessions": [
        [("How much is 3 dozen of eggs?", "10.80", "!129")],
        [("6 eggs please", "1.80")],
        [("how much are eggs", "3.60")],
        [("2 adults 2 kids", "16.60")],
    ]},
    {"name": "Games", "tools": ["price_list"], "data": [prices(price("Entry", "5", per="person"), price("Kids parties", "240", "USD"))], "sessions": [
        [("2 adults and a 6 year old entry", "!60", "!30")],
        [("kids party for 10 kids how much", "!2400")],
        [("2 kids parties", "480")],
        [("entry for 4 people", "20")],
    ]},
    {"name": "早餐", "language": "zh", "tools": ["price_list"], "data": [prices(price("煎饼果子", "7", "元"), price("豆浆", "3", "元"))], "sessions": [
        [("煎饼果子加蛋多少", "蛋", "没有")],
        [("煎饼果子加豆浆多少", "10")],
    ]},
    {"name": "Donuts", "tools": ["price_list"], "data": [prices(price("donut", "2.50"), price("coffee", "3"), rules=[
        {"text": "3 for 6", "percent_off": "", "from_quantity": "3", "from_total": "", "applies_to": "donut"}])], "sessions": [
        [("3 donuts", "6 EUR")],
        [("7 donuts please", "14.5")],
        [("2 donuts and 3 coffees", "14 EUR")],
    ]},
    {"name": "Escape", "tools": ["price_list"], "data": [prices(price("weekdays", "79"), price("weekends and public holidays", "95"))], "sessions": [
        [("what's the price on a saturday", "95", "!79")],
        [("price on tuesday?", "79", "!95")],
    ]},
    {"name": "Honey", "tools": ["price_list"], "data": [prices(price("acacia 250g", "4.50", base="acacia", variant="250g"), price("acacia 500g", "8", base="acacia", variant="500g"))], "sessions": [
        [("2 small acacia jars, how much", "9")],
        [("a large acacia", "8", "!4.50")],
        [("3 acacia", "refuse")],
    ]},
    {"name": "Loans", "language": "zh", "tools": ["finance_calculator"], "sessions": [
        [("贷12万，36期，年利率4.5%，月供多少", "3569.63"), ("总利息呢", "8506.71")],
    ]},
    {"name": "Exchange", "tools": ["exchange_rates"], "data": [rates(("EUR", "USD", "1.08"))], "sessions": [
        [("how many dollars for 50 eur minus fee", "refuse", "!54")],
        [("how many dollars for 50 eur", "54")],
    ]},
    {"name": "Rates unknown", "tools": ["finance_calculator"], "sessions": [
        [("vat on 1,250", "!237")],
    ]},
    {"name": "Units", "language": "zh", "tools": ["unit_converter"], "sessions": [
        [("77华氏度多少度", "25")],
        [("3米是多少厘米和英寸", "300", "118.11")],
        [("how many feet and inches is 1.8 m", "5.91 ft", "70.87 in")],
        [("10 miles in km and m", "16.09 km", "16093.44 m")],
    ]},
]
