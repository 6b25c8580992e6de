//! Users: the one user of a virtual machine and the texts of passwd(5) and group(5) about it
//! (SEMANTICS.md section 11). The ids restrict nothing: file modes are not enforced.

const DEFAULT_ID: u32 = 1000;
const DEFAULT_USERNAME: &str = "agentos";
const DEFAULT_HOMEDIR: &str = "/home/agentos";
const DEFAULT_SHELL: &str = "/bin/sh";

/// Who a process runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessIdentity {
    /// The real user id.
    pub uid: u32,
    /// The real group id.
    pub gid: u32,
    /// The effective user id.
    pub euid: u32,
    /// The effective group id.
    pub egid: u32,
    /// Its groups, the primary one first.
    pub supplementary_gids: Vec<u32>,
}

impl Default for ProcessIdentity {
    /// The default user's.
    fn default() -> Self {
        UserManager::new().identity()
    }
}

/// The user of a virtual machine; what is `None` takes its default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserConfig {
    /// The real user id (1000).
    pub uid: Option<u32>,
    /// The real group id (1000).
    pub gid: Option<u32>,
    /// The effective user id (`uid`).
    pub euid: Option<u32>,
    /// The effective group id (`gid`).
    pub egid: Option<u32>,
    /// The name (`agentos`).
    pub username: Option<String>,
    /// The home directory (`/home/agentos`).
    pub homedir: Option<String>,
    /// The shell (`/bin/sh`).
    pub shell: Option<String>,
    /// The comment (empty).
    pub gecos: Option<String>,
    /// The primary group's name (`username`).
    pub group_name: Option<String>,
    /// Further groups.
    pub supplementary_gids: Vec<u32>,
}

/// The user with every default filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserManager {
    /// The real user id.
    pub uid: u32,
    /// The real group id.
    pub gid: u32,
    /// The effective user id.
    pub euid: u32,
    /// The effective group id.
    pub egid: u32,
    /// The name.
    pub username: String,
    /// The home directory.
    pub homedir: String,
    /// The shell.
    pub shell: String,
    /// The comment.
    pub gecos: String,
    /// The primary group's name.
    pub group_name: String,
    /// The groups: the primary one first, then the configured ones, each once, in order.
    pub supplementary_gids: Vec<u32>,
}

impl Default for UserManager {
    fn default() -> Self {
        Self::new()
    }
}

impl UserManager {
    /// The default user.
    pub fn new() -> Self {
        Self::from_config(UserConfig::default())
    }

    /// The configured user.
    pub fn from_config(config: UserConfig) -> Self {
        let uid = config.uid.unwrap_or(DEFAULT_ID);
        let gid = config.gid.unwrap_or(DEFAULT_ID);
        let username = config.username.unwrap_or_else(|| DEFAULT_USERNAME.to_owned());
        let mut supplementary_gids = vec![gid];
        for group in config.supplementary_gids {
            if !supplementary_gids.contains(&group) {
                supplementary_gids.push(group);
            }
        }
        Self {
            uid,
            gid,
            euid: config.euid.unwrap_or(uid),
            egid: config.egid.unwrap_or(gid),
            homedir: config.homedir.unwrap_or_else(|| DEFAULT_HOMEDIR.to_owned()),
            shell: config.shell.unwrap_or_else(|| DEFAULT_SHELL.to_owned()),
            gecos: config.gecos.unwrap_or_default(),
            group_name: config.group_name.unwrap_or_else(|| username.clone()),
            username,
            supplementary_gids,
        }
    }

    /// Who the user's processes run as.
    pub fn identity(&self) -> ProcessIdentity {
        ProcessIdentity {
            uid: self.uid,
            gid: self.gid,
            euid: self.euid,
            egid: self.egid,
            supplementary_gids: self.supplementary_gids.clone(),
        }
    }

    /// The user's groups, the primary one first.
    pub fn getgroups(&self) -> Vec<u32> {
        self.supplementary_gids.clone()
    }

    /// The line of passwd(5) for a real user id; `None` for any but the user's.
    pub fn getpwuid(&self, uid: u32) -> Option<String> {
        let Self { username, gid, gecos, homedir, shell, .. } = self;
        (uid == self.uid).then(|| format!("{username}:x:{uid}:{gid}:{gecos}:{homedir}:{shell}"))
    }

    /// The line of group(5) for a group of the user's: the primary one has the group's name,
    /// another is called `group` and its number. `None` for any other.
    pub fn getgrgid(&self, gid: u32) -> Option<String> {
        let name = if gid == self.gid {
            self.group_name.clone()
        } else if self.supplementary_gids.contains(&gid) {
            format!("group{gid}")
        } else {
            return None;
        };
        Some(format!("{name}:x:{gid}:{}", self.username))
    }
}
