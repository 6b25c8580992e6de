//! Patterns, and rules as data.

use crate::small::{Log, Small};
use std::sync::Arc;
use tickernel::permissions::{
    FsOperation, NetworkOperation, PermissionDecision, PermissionRule, PermissionedFileSystem,
    Permissions, RuleOperation, check_network_access, permission_glob_matches,
};

#[test]
fn patterns_match_the_whole_value() {
    let cases = [
        ("", "", true),
        ("", "a", false),
        ("/a", "/a", true),
        ("/a", "/ab", false),
        ("/a?", "/ab", true),
        ("/a?", "/a", false),
        ("/a?b", "/a/b", false),
        ("/a?", "/aé", false),
        ("/a??", "/aé", true),
        ("*", "", true),
        ("*", "abc", true),
        ("*", "a/c", false),
        ("/*/c", "/b/c", true),
        ("/*/c", "/b/b/c", false),
        ("/*.txt", "/a.txt", true),
        ("/*.txt", "/a.txt.txt", true),
        ("**", "/a/b/c", true),
        ("/a/**", "/a/b/c", true),
        ("/a/**", "/a", false),
        ("/a/**", "/a/", true),
        ("/a****z", "/a/b/z", true),
        ("**/x/*y", "/a/x/b/x/zy", true),
        ("**/x/*y", "/a/x/b/x/z/y", false),
        ("[a]", "a", false),
        ("[a]", "[a]", true),
        ("\\*", "\\x", true),
    ];
    for (pattern, value, matches) in cases {
        assert_eq!(permission_glob_matches(pattern, value), matches, "{pattern:?} {value:?}");
    }
}

#[test]
fn a_hostile_pattern_takes_no_exponential_time() {
    let pattern = "*a".repeat(100) + "b";
    assert!(!permission_glob_matches(&pattern, &"a".repeat(4096)));
    let pattern = "**a".repeat(100) + "b";
    assert!(!permission_glob_matches(&pattern, &"a".repeat(4096)));
}

fn rules(texts: &[&str]) -> Vec<PermissionRule> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn checked(permissions: Permissions) -> PermissionedFileSystem<Small> {
    PermissionedFileSystem::new(Small::new("", &Log::default()), "vm", permissions)
}

#[test]
fn the_first_rule_that_matches_decides_and_none_is_denial() {
    let list = rules(&["deny fs:read /d/f", "allow fs:* /d/**", "deny fs:write /d/new"]);
    let mut f = checked(Permissions::from_rules(list));
    let error = f.read_file("/d/f").unwrap_err();
    assert_eq!(error.code(), "EACCES");
    assert!(error.message().ends_with("rule `deny fs:read /d/f`"), "{error}");
    assert!(f.stat("/d/f").is_ok());
    assert!(f.write_file("/d/new", "x").is_ok());
    assert_eq!(f.stat("/d").unwrap_err().code(), "EACCES");
}

#[test]
fn rules_come_before_the_callback_and_ask_it_nothing() {
    let log = Log::default();
    let asked = log.clone();
    let permissions = Permissions {
        filesystem: Some(Arc::new(move |request| {
            asked.add(request.path.clone());
            PermissionDecision::allow()
        })),
        ..Permissions::default()
    }
    .with_rules(rules(&["allow fs:read /d/f", "deny fs:stat **"]));
    let mut f = checked(permissions);
    assert!(f.read_file("/d/f").is_ok());
    assert!(f.stat("/d/f").is_err());
    assert!(log.take().is_empty());
    assert!(f.read_dir("/d").is_ok());
    assert_eq!(log.take(), ["/d"]);
}

#[test]
fn a_text_that_is_no_rule_says_what_is_wrong_with_it() {
    let why = |text: &str| text.parse::<PermissionRule>().unwrap_err().to_string();
    for text in ["", "  ", "allow", "allow fs:read", "deny *"] {
        assert!(
            why(text).ends_with(
                "expected EFFECT OPERATION PATTERN, such as allow fs:read /workspace/**"
            ),
            "{text:?}"
        );
    }
    assert!(why("permit fs:read /d").ends_with("expected allow or deny as the first word"));
    let unknown = why("allow fs:eat /d");
    assert!(unknown.starts_with("not a permission rule: \"allow fs:eat /d\""), "{unknown}");
    for operation in ["*", "command", "fs:*", "fs:read", "network:dns", "env:read"] {
        assert!(unknown.contains(&format!(" {operation}")), "{unknown}");
    }
    let rule: PermissionRule = "\tallow  fs:read\t/d/a b ".parse().unwrap();
    assert_eq!(rule.to_string(), "allow fs:read /d/a b ");
}

#[test]
fn a_rule_sees_the_path_behind_a_link() {
    let mut f = checked(Permissions::from_rules(rules(&["deny fs:* /d/**", "allow fs:* **"])));
    assert_eq!(f.read_file("/l").unwrap_err().code(), "EACCES");
}

#[test]
fn rules_are_about_the_network_commands_and_variables_too() {
    let list = rules(&["allow network:dns dns://*.example", "allow command git", "allow env:* **"]);
    let permissions = Permissions::from_rules(list);
    let dns = NetworkOperation::Dns;
    assert!(check_network_access("vm", &permissions, dns, "dns://a.example").is_ok());
    assert!(check_network_access("vm", &permissions, dns, "dns://a.test").is_err());
    let listen = NetworkOperation::Listen;
    assert!(check_network_access("vm", &permissions, listen, "dns://a.example").is_err());
}

#[test]
fn rules_are_text_and_json_and_back() {
    let rule = PermissionRule::allow(RuleOperation::Fs(Some(FsOperation::Read)), "/a b/**");
    assert_eq!(rule.to_string(), "allow fs:read /a b/**");
    assert_eq!(rule.to_string().parse(), Ok(rule.clone()));
    let json = serde_json::to_string(&rule).unwrap();
    assert_eq!(json, r#"{"effect":"allow","operation":"fs:read","pattern":"/a b/**"}"#);
    assert_eq!(serde_json::from_str::<PermissionRule>(&json).unwrap(), rule);
    for operation in ["*", "command", "fs:*", "fs:createDir", "network:http", "env:write"] {
        assert_eq!(operation.parse::<RuleOperation>().unwrap().to_string(), operation);
    }
}

#[test]
fn a_text_that_is_no_rule_says_what_is_expected() {
    for text in ["", "allow", "allow fs:read", "permit fs:read /", "allow fs:fly /"] {
        let error = text.parse::<PermissionRule>().unwrap_err().to_string();
        assert!(error.contains("expected"), "{text:?}: {error}");
    }
    let json = r#"{"effect":"allow","operation":"fs:fly","pattern":""}"#;
    assert!(serde_json::from_str::<PermissionRule>(json).is_err());
}
