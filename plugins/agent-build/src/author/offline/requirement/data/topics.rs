//! What a passage is about, in words that people ask with but that the passage itself may not have.

use std::sync::LazyLock;

use regex::Regex;

static PATTERNS: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    [
        (r"(?i)[\w.+-]+@[\w-]+\.[a-z]{2,}", "email mail contact write 邮箱 邮件 联系"),
        (r"(?i)\b(?:phone|tel|telephone|call|mobile|whatsapp)\b|电话|手机|热线|拨打|\+?\d{2,4}[ -]?\d{3,4}[ -]\d{3,4}|\b1[3-9]\d{9}\b|\b\d{3,4}-\d{4,8}\b", "phone telephone number call contact reach 电话 号码 联系 打电话"),
        (r"(?i)\b\d{1,4}[a-z]? [A-Z][\w'.-]+(?: [A-Z][\w'.-]+)? (?:street|st|road|rd|avenue|ave|lane|ln|square|sq|drive|way|close|court|blvd|boulevard|place|row|quay)\b|\b[A-Z]\w+(?:straße|strasse|weg|platz|gasse|allee)\b ?\d*|\b(?:street|road|avenue|lane|square) \d+|\baddress\b|\blocated\b|\b(?:next to|opposite|across from|corner of)\b|地址|位于|路\d+号|街\d+号|\d+号(?:楼|院)?|号楼", "where address location located find directions 地址 在哪 哪里 位置 怎么走"),
        (r"(?i)\b(?:park|parking|car park)\b|停车", "parking park car where 停车 车位"),
        (r"(?i)\b(?:cash|credit cards?|cards?|paypal|apple pay|invoice|bank transfer|contactless)\b|现金|刷卡|支付|微信|支付宝|付款", "pay payment card cash accept 付款 支付 刷卡 现金"),
        (r"(?i)\b(?:deliver|delivery|ship|shipping|delivered)\b|送货|配送|外卖|快递|发货|包邮", "delivery deliver shipping ship 配送 送货 外卖 快递 发货"),
        (r"(?i)\b(?:refund|return|returns|exchange|cancel|cancellation|warranty|guarantee)\b|退货|退款|换货|退换|取消|保修", "return refund cancel exchange money back 退货 退款 取消 换货"),
        (r"(?i)\b(?:vegan|vegetarian|gluten|allerg\w+|nuts?|halal|kosher|lactose|dairy)\b|素食|过敏|无麸质|清真|坚果", "vegan vegetarian allergy allergens gluten nuts 素食 过敏"),
        (r"(?i)\b(?:dogs?|pets?|cats?)\b|宠物|狗", "dog dogs pet pets animals allowed bring 宠物 狗"),
        (r"(?i)\bwi-?fi\b|无线|WIFI", "wifi wi-fi internet wlan password 无线网 密码"),
        (r"(?i)\b(?:wheelchair|step-free|accessible|ramp|lift|elevator)\b|轮椅|无障碍|电梯", "wheelchair accessible disabled access 轮椅 无障碍"),
        (r"(?i)\b(?:reserv\w+|appointments?|book(?:ing|ings)?)\b|预约|预订|订位", "reserve reservation booking book appointment table 预约 预订 订位"),
        (r"(?i)\b(?:open|opens|opening|closed?|closes)\b|营业|开门|休息|闭馆|关门", "open opening hours closed when time 营业 开门 几点 时间"),
        (r"(?i)\b(?:owner|owned|founded|run by|manager|boss|headed|director|teacher|coach|trainer)\b|老板|店主|负责人|创办|老师|教练", "who owner manager runs boss 谁 老板 负责"),
        (r"(?i)\b(?:discount|% off|percent off|reduced)\b|优惠|折扣|打.折|满减|半价", "discount reduction cheaper offer deal 优惠 折扣 打折"),
    ]
    .into_iter()
    .filter_map(|(pattern, words)| Regex::new(pattern).ok().map(|regex| (regex, words)))
    .collect()
});

/// The words for each subject that a passage speaks of.
pub(super) fn of(passage: &str) -> Vec<String> {
    let words = PATTERNS.iter().filter(|(regex, _)| regex.is_match(passage)).flat_map(|(_, words)| words.split(' '));
    let mut found: Vec<String> = Vec::new();
    for word in words {
        if !found.iter().any(|known| known == word) {
            found.push(word.to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_the_like() {
        for (passage, word) in [
            ("12 High Street, Leeds", "address"),
            ("Lindenstraße 5", "where"),
            ("人民路12号", "在哪"),
            ("Tel. 0113 555 0101", "phone"),
            ("hello@crumb.example", "email"),
            ("Cash only, no cards", "pay"),
            ("周日休息", "营业"),
        ] {
            assert!(of(passage).iter().any(|w| w == word), "{passage}");
        }
        assert!(of("The bread is made with rye.").is_empty());
        assert_eq!(PATTERNS.len(), 15);
    }
}
