use std::fmt::Write as _;

use super::*;
use crate::domain::caller::Scopes;

const POLICY: Policy = Policy { code_is_editable: true };

fn ann(role: Role) -> Caller {
    let mut caller = Caller::new("key:ann", role, "ann");
    caller.scopes.shared = vec!["agent_shared".parse().unwrap()];
    caller
}

fn agent(id: &'static str, owner: Option<&'static str>) -> Resource<'static> {
    Resource::Agent { id: id.into(), owner: owner.map(Into::into) }
}

fn session(agent: &'static str, owner: Option<&'static str>) -> Resource<'static> {
    Resource::Session { agent: agent.into(), owner: owner.map(Into::into) }
}

fn resources() -> Vec<(&'static str, Resource<'static>)> {
    vec![
        ("own list", Resource::Own),
        ("everything", Resource::Everything),
        ("daemon", Resource::Daemon),
        ("own project", Resource::Project { owner: "ann".into() }),
        ("bob's project", Resource::Project { owner: "bob".into() }),
        ("nobody's project", Resource::Project { owner: ANONYMOUS.into() }),
        ("own agent", agent("agent_1", Some("ann"))),
        ("bob's agent", agent("agent_2", Some("bob"))),
        ("shared agent", agent("agent_shared", Some("bob"))),
        ("nobody's agent", agent("agent_3", None)),
        ("own session", session("agent_2", Some("ann"))),
        ("bob's session", session("agent_1", Some("bob"))),
        ("nobody's session", session("agent_1", None)),
    ]
}

/// For each right: `+` allowed, `-` forbidden, `.` not there.
fn row(caller: &Caller, resource: &Resource<'_>) -> String {
    let mark = |right: &Right| match POLICY.check(caller, *right, resource) {
        Ok(permit) => {
            assert_eq!(permit.right(), *right);
            '+'
        }
        Err(Denial::Hidden) => '.',
        Err(_) => '-',
    };
    Right::ALL.iter().map(mark).collect()
}

#[test]
fn every_role_may_what_is_written_here() {
    let mut table = format!("{:<17}{}\n", "", Right::ALL.iter().map(|r| r.as_str()).collect::<Vec<_>>().join(" "));
    for role in Role::ALL {
        for (name, resource) in resources() {
            writeln!(table, "{:<8} {name:<17}{}", role.as_str(), row(&ann(*role), &resource)).unwrap();
        }
    }
    insta::assert_snapshot!("roles", table);
}

#[test]
fn an_admin_may_everything_and_nobody_else_administers() {
    for (name, resource) in resources() {
        assert_eq!(row(&ann(Role::Admin), &resource), "++++++++++", "{name}");
        for role in [Role::Editor, Role::User, Role::Viewer, Role::Metrics] {
            assert!(POLICY.check(&ann(role), Right::Administer, &resource).is_err(), "{role} {name}");
        }
    }
}

#[test]
fn scopes_only_ever_take_away() {
    let narrowed = [
        Scopes { rights: Some(vec![Right::Read]), ..Scopes::default() },
        Scopes { rights: Some(Vec::new()), ..Scopes::default() },
        Scopes { agents: Some(vec!["agent_1".parse().unwrap()]), ..Scopes::default() },
        Scopes { agents: Some(Vec::new()), ..Scopes::default() },
    ];
    for role in Role::ALL {
        for scopes in &narrowed {
            let (mut whole, mut less) = (ann(*role), ann(*role));
            // Agents that are named in a scope are shared by it; compare with somebody who has that, too.
            whole.scopes.shared.extend(scopes.agents.iter().flatten().cloned());
            less.scopes = Scopes { shared: less.scopes.shared.clone(), ..scopes.clone() };
            for (name, resource) in resources() {
                for right in Right::ALL {
                    let allowed = POLICY.check(&less, *right, &resource).is_ok();
                    assert!(!allowed || POLICY.check(&whole, *right, &resource).is_ok(), "{role} {name} {right}");
                    let outside = scopes.rights.as_ref().is_some_and(|rights| !rights.contains(right));
                    assert!(!(allowed && outside), "{role} {name} {right}");
                }
            }
        }
    }
    let mut key = Caller::new("key:bot", Role::User, "bot");
    key.scopes.agents = Some(vec!["agent_2".parse().unwrap()]);
    assert!(POLICY.check(&key, Right::Converse, &agent("agent_2", Some("bob"))).is_ok());
    assert_eq!(POLICY.check(&key, Right::Converse, &agent("agent_1", Some("bot"))), Err(Denial::Hidden));
    assert_eq!(POLICY.check(&key, Right::Read, &Resource::Own), Err(Denial::Scope));
}

#[test]
fn code_can_be_switched_off_for_everybody() {
    let off = Policy { code_is_editable: false };
    let own = agent("agent_1", Some("ann"));
    for role in [Role::Admin, Role::Editor] {
        assert_eq!(off.check(&ann(role), Right::ChangeCode, &own), Err(Denial::SwitchedOff));
        assert!(POLICY.check(&ann(role), Right::ChangeCode, &own).is_ok());
        assert!(off.check(&ann(role), Right::ReadFiles, &own).is_ok());
    }
}

#[test]
fn nobody_becomes_the_owner_of_what_is_nobodys() {
    let caller = Caller::new("jwt:anonymous", Role::Editor, ANONYMOUS);
    for resource in [
        Resource::Project { owner: ANONYMOUS.into() },
        agent("agent_1", Some(ANONYMOUS)),
        session("agent_1", Some(ANONYMOUS)),
    ] {
        assert_eq!(POLICY.check(&caller, Right::Read, &resource), Err(Denial::Hidden));
    }
}
