//! Who asks. Every method of an application service hears it first.

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
    /// For the log.
    pub name: String,
    /// What he may do.
    pub role: CallerRole,
    /// Whose records he writes.
    pub user_id: String,
}

impl Caller {
    /// Whoever reaches the daemon. The only one as long as there is no access control.
    #[must_use]
    pub fn anonymous() -> Self {
        Self { name: "anonymous".to_owned(), role: CallerRole::Admin, user_id: "anonymous".to_owned() }
    }

    /// Whose record it becomes when `wanted` is named: an admin may act for others.
    #[must_use]
    pub fn acting_for(&self, wanted: Option<String>) -> String {
        match self.role {
            CallerRole::Admin => wanted.unwrap_or_else(|| self.user_id.clone()),
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
