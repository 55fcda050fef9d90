//! Who asks. Every method of an application service hears it first.

use std::borrow::Cow;

super::words! {
    /// What a caller may do.
    CallerRole {
        /// Everything, also on behalf of others.
        Admin = "admin",
    }
}

/// Who asks for something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub name: Cow<'static, str>,
    /// What he may do.
    pub role: CallerRole,
    /// Whose records he writes.
    pub user_id: Cow<'static, str>,
}

impl Caller {
    /// Whoever reaches the daemon. The only one as long as there is no access control.
    pub const fn anonymous() -> Self {
        Self { name: Cow::Borrowed("anonymous"), role: CallerRole::Admin, user_id: Cow::Borrowed("anonymous") }
    }

    /// Whose record it becomes when `wanted` is named: an admin may act for others.
    pub fn acting_for(&self, wanted: Option<String>) -> String {
        match self.role {
            CallerRole::Admin => wanted.unwrap_or_else(|| self.user_id.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_admin_acts_for_others_and_else_for_himself() {
        let caller = Caller::anonymous();
        assert_eq!(caller.acting_for(None), "anonymous");
        assert_eq!(caller.acting_for(Some("ann".to_owned())), "ann");
    }
}
