//! What an operator sets: flags over `GANGLION_*` over `ganglion.toml` over the defaults here.
//!
//! A key that is not known is refused, so that a misspelt limit is not silently without effect. In the environment the
//! first underscore behind the prefix is the dot: `GANGLION_LIMITS_CALL_TIME` is `limits.call_time`.

use crate::duration;
use crate::listen::ListenAddress;
use crate::network::{HttpSettings, LinkOptions, ServerSettings};
use crate::roles::{CephSettings, ClusterSettings, NodeSettings, RedisSettings, Role};
use bytesize::ByteSize;
use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use ganglion_gateway::{GatewaySettings, JobSettings};
use ganglion_registry::Interruption;
use ganglion_types::{CallLimits, Error, ModuleLimits, Result, Site};
use ganglion_wire::DELTA_BYTES_MAX;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Environment variables with the prefix that are not settings of a node but of the command line.
const NOT_SETTINGS: [&str; 3] = ["url", "user", "config"];

/// Largest `jobs.batch`.
const JOB_BATCH_MAX: usize = 512;

/// All settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where objects, functions and machine code are kept.
    pub data: PathBuf,
    /// What this process is.
    pub node: NodeSettings,
    /// The other nodes.
    pub cluster: ClusterSettings,
    /// The Redis through which nodes find each other.
    pub redis: RedisSettings,
    /// The Ceph cluster that keeps the objects.
    pub ceph: CephSettings,
    /// Where to listen.
    pub listen: ListenSettings,
    /// What guests and requests may use.
    pub limits: Limits,
    /// Functions over many objects.
    pub jobs: JobOptions,
    /// Compute nodes.
    pub compute: SiteSettings,
    /// Storage nodes.
    pub storage: SiteSettings,
    /// Guests of a process.
    pub worker: WorkerSettings,
    /// Logs.
    pub log: LogSettings,
    /// Shutting down.
    pub drain: DrainSettings,
    /// The gateway's patience.
    pub gateway: GatewayOptions,
    /// HTTP connections.
    pub http: HttpSettings,
    /// Links to other nodes.
    pub link: LinkOptions,
    /// Servers that links reach.
    pub server: ServerSettings,
    /// What a `ganglion.toml` says of a function whose folder it lies in: for the command line, and nothing to a node.
    #[serde(skip_serializing)]
    pub function: IgnoredAny,
}

/// Where a process listens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ListenSettings {
    /// HTTP addresses; every route is on each. Loopback unless told: there is no authentication.
    pub http: Vec<ListenAddress>,
    /// Socket in the file system at which the process says how it is, for `ganglion health`; empty: none.
    pub health: PathBuf,
}

/// Limits, each named in the error that it causes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Wall time of a call that names no deadline of its own.
    #[serde(with = "duration")]
    pub call_time: Duration,
    /// A guest's linear memory.
    pub memory: ByteSize,
    /// A guest's native stack.
    pub stack: ByteSize,
    /// What a guest may set as output.
    pub output: ByteSize,
    /// What a guest may print on stdout, and on stderr.
    pub log: ByteSize,
    /// A call's input.
    pub input: ByteSize,
    /// Memory that a guest may have changed for a storage call of it to go elsewhere.
    pub delta: ByteSize,
    /// An uploaded module.
    pub module: ByteSize,
    /// Elements of a module's function table.
    pub table: u64,
    /// An object.
    pub object: ByteSize,
    /// Nodes that one call is offered to before its refusal reaches the user.
    pub attempts: u32,
    /// Asynchronous calls that run or wait at once.
    pub async_running: usize,
    /// Results of asynchronous calls kept to be asked for.
    pub async_results: usize,
    /// Their outputs together.
    pub async_bytes: ByteSize,
    /// How long a result is kept.
    #[serde(with = "duration")]
    pub async_age: Duration,
}

/// Functions over many objects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JobOptions {
    /// Jobs that run at once.
    pub running: usize,
    /// Time of one job.
    #[serde(with = "duration")]
    pub time: Duration,
    /// Objects of one job.
    pub objects: u32,
    /// Objects of one batch: what a node is sent at once; at most 512.
    pub batch: usize,
    /// Their bytes together, when there is more than one.
    pub batch_bytes: ByteSize,
    /// A job's result.
    pub result: ByteSize,
    /// Ended jobs kept to be asked for.
    pub kept: usize,
    /// Their results together.
    pub kept_bytes: ByteSize,
    /// How long they are kept.
    #[serde(with = "duration")]
    pub age: Duration,
}

/// The gateway's patience.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GatewayOptions {
    /// How long after its deadline a node's answer is still awaited.
    #[serde(with = "duration")]
    pub answer_grace: Duration,
    /// How long an object's size is taken as known for placement.
    #[serde(with = "duration")]
    pub object_size_age: Duration,
    /// How long a function's name is taken as known before it is looked at again, behind the call.
    #[serde(with = "duration")]
    pub function_age: Duration,
}

/// A kind of node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SiteSettings {
    /// Guests that compute at once on a node; 0: one for each core.
    pub permits: u32,
    /// Calls that may wait for a permit; one more is refused.
    pub queue: u32,
    /// Where the node listens for other nodes, when it is part of a cluster. There is no authentication.
    pub listen: ListenAddress,
    /// What other nodes are told in place of that; empty: the same, or where that is every address of the host, the one from which
    /// Redis is reached.
    pub advertise: String,
}

/// Guests of a process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorkerSettings {
    /// Guests that may exist at once, waiting ones included. Each reserves 4 GiB of addresses (not of memory).
    pub instances: usize,
    /// Whether functions that have been short run on the thread that received the call.
    pub inline: bool,
    /// By how much the thread of a guest that computes for longer than 10 ms is nicer than the process, 0 to 19; 0: not at all.
    pub niceness: u8,
    /// How a guest is stopped whose time is up, or whose caller has gone.
    pub interruption: Interruption,
}

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// Logs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// Their form.
    pub format: LogFormat,
    /// What is logged: a level, or `tracing` directives such as `info,ganglion_gateway=debug`.
    pub level: String,
}

/// Shutting down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DrainSettings {
    /// How long running calls may take to end before the process does.
    #[serde(with = "duration")]
    pub grace: Duration,
}

fn on_loopback(port: u16) -> ListenAddress {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into()
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data: ".ganglion".into(),
            node: NodeSettings::default(),
            cluster: ClusterSettings::default(),
            redis: RedisSettings::default(),
            ceph: CephSettings::default(),
            listen: ListenSettings::default(),
            limits: Limits::default(),
            jobs: JobOptions::default(),
            compute: SiteSettings::default(),
            storage: SiteSettings {
                queue: 64,
                listen: on_loopback(7461),
                ..SiteSettings::default()
            },
            worker: WorkerSettings::default(),
            log: LogSettings::default(),
            drain: DrainSettings::default(),
            gateway: GatewayOptions::default(),
            http: HttpSettings::default(),
            link: LinkOptions::default(),
            server: ServerSettings::default(),
            function: IgnoredAny,
        }
    }
}

impl Default for ListenSettings {
    fn default() -> Self {
        Self {
            http: vec![on_loopback(8080), on_loopback(8002)],
            health: PathBuf::new(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        let (call, module) = (CallLimits::default(), ModuleLimits::default());
        let gateway = GatewaySettings::default();
        Self {
            call_time: call.wall,
            memory: ByteSize(call.memory_bytes),
            stack: ByteSize(module.stack_bytes),
            output: ByteSize(call.output_bytes),
            log: ByteSize(call.log_bytes),
            input: ByteSize::mib(16),
            delta: ByteSize::mib(32),
            module: ByteSize(module.module_bytes),
            table: module.table_elements,
            object: ByteSize::gib(4),
            attempts: gateway.attempts_max,
            async_running: gateway.async_running_max,
            async_results: gateway.async_results_max,
            async_bytes: ByteSize(gateway.async_bytes_max),
            async_age: gateway.async_age,
        }
    }
}

impl Default for JobOptions {
    fn default() -> Self {
        let jobs = JobSettings::default();
        Self {
            running: jobs.running_max,
            time: jobs.time,
            objects: jobs.objects_max,
            batch: jobs.batch_parts_max,
            batch_bytes: ByteSize(jobs.batch_bytes_max),
            result: ByteSize(jobs.result_bytes_max),
            kept: jobs.kept_max,
            kept_bytes: ByteSize(jobs.kept_bytes_max),
            age: jobs.age,
        }
    }
}

impl JobOptions {
    fn settings(&self) -> JobSettings {
        JobSettings {
            running_max: self.running,
            time: self.time,
            objects_max: self.objects,
            batch_parts_max: self.batch,
            batch_bytes_max: self.batch_bytes.as_u64(),
            result_bytes_max: self.result.as_u64(),
            kept_max: self.kept,
            kept_bytes_max: self.kept_bytes.as_u64(),
            age: self.age,
        }
    }
}

impl SiteSettings {
    fn needs_cluster_address(&self) -> bool {
        self.listen.is_of_cluster() || (self.listen.is_unspecified() && self.advertise.is_empty())
    }
}

impl Default for SiteSettings {
    fn default() -> Self {
        Self {
            permits: 0,
            queue: 1024,
            listen: on_loopback(7462),
            advertise: String::new(),
        }
    }
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            instances: 512,
            inline: true,
            niceness: 10,
            interruption: Interruption::Poll,
        }
    }
}

impl Default for GatewayOptions {
    fn default() -> Self {
        let GatewaySettings {
            answer_grace,
            object_size_age,
            function_age,
            ..
        } = GatewaySettings::default();
        Self {
            answer_grace,
            object_size_age,
            function_age,
        }
    }
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            format: LogFormat::Pretty,
            level: "info".into(),
        }
    }
}

impl Default for DrainSettings {
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(30),
        }
    }
}

impl Settings {
    /// A settings file with every setting, its meaning and its default.
    pub const DEFAULT_FILE: &str = include_str!("ganglion.default.toml");

    /// The layers below the command line's flags. `file` is read when it is named, and must then exist; otherwise
    /// `ganglion.toml` in the working folder, when it is there.
    ///
    /// # Errors
    /// `Invalid`, with the key and where it came from.
    pub fn load(file: Option<&Path>) -> Result<Self> {
        Self::from_figment(&Self::figment(file)?)
    }

    /// The layers, for showing where each value comes from.
    ///
    /// # Errors
    /// `Invalid` when a named file is missing.
    pub fn figment(file: Option<&Path>) -> Result<Figment> {
        if let Some(path) = file.filter(|path| !path.is_file()) {
            return Err(Error::invalid(format!(
                "there is no settings file {}",
                path.display()
            )));
        }
        let toml = Toml::file(file.unwrap_or(Path::new("ganglion.toml")));
        let environment = Env::prefixed("GANGLION_")
            .filter(|key| {
                !NOT_SETTINGS
                    .iter()
                    .any(|name| key.as_str().eq_ignore_ascii_case(name))
            })
            .map(|key| key.as_str().replacen('_', ".", 1).into());
        Ok(Figment::from(Serialized::defaults(Self::default()))
            .merge(toml)
            .merge(environment))
    }

    /// The values of a figment.
    ///
    /// # Errors
    /// `Invalid`, with the key and where it came from.
    pub fn from_figment(figment: &Figment) -> Result<Self> {
        let settings: Self = figment
            .extract()
            .map_err(|error| Error::invalid(format!("settings: {error}")))?;
        let (delta, most) = (settings.limits.delta, ByteSize(DELTA_BYTES_MAX));
        if delta > most {
            return Err(Error::invalid(format!(
                "settings: limits.delta is {delta}, at most {most} fit a message between nodes"
            )));
        }
        let batch = settings.jobs.batch;
        if !(1..=JOB_BATCH_MAX).contains(&batch) {
            return Err(Error::invalid(format!(
                "settings: jobs.batch is {batch}, and may be 1 to {JOB_BATCH_MAX}: their keys and ends fit one message"
            )));
        }
        settings.check_result()?;
        Ok(settings)
    }

    /// Whether something listens on the address from which Redis is reached, or has to tell it to others.
    pub(crate) fn needs_cluster_address(&self) -> bool {
        let of_node =
            |role, site: &SiteSettings| self.node.is(role) && site.needs_cluster_address();
        let mut http = self.listen.http.iter();
        of_node(Role::Storage, &self.storage)
            || of_node(Role::Compute, &self.compute)
            || (self.node.is(Role::Gateway) && http.any(ListenAddress::is_of_cluster))
    }

    /// A job's result has to be kept to be asked for, and comes from a node in one payload when there is one batch only.
    fn check_result(&self) -> Result<()> {
        let result = self.jobs.result;
        for (name, most) in [
            ("jobs.kept_bytes", self.jobs.kept_bytes),
            ("link.payload", self.link.payload),
        ] {
            if result > most {
                return Err(Error::invalid(format!(
                    "settings: jobs.result is {result}, and may be at most {most} ({name})"
                )));
            }
        }
        Ok(())
    }

    /// The settings of a kind of node.
    pub(crate) fn site(&self, site: Site) -> &SiteSettings {
        match site {
            Site::Compute => &self.compute,
            Site::Storage => &self.storage,
        }
    }

    /// What one call may use.
    pub fn call_limits(&self) -> CallLimits {
        CallLimits {
            wall: self.limits.call_time,
            memory_bytes: self.limits.memory.as_u64(),
            output_bytes: self.limits.output.as_u64(),
            log_bytes: self.limits.log.as_u64(),
        }
    }

    /// What the gateway is told.
    pub(crate) fn gateway_settings(&self) -> GatewaySettings {
        let limits = &self.limits;
        GatewaySettings {
            input_bytes_max: limits.input.as_u64(),
            object_bytes_max: limits.object.as_u64(),
            module_bytes_max: limits.module.as_u64(),
            call_limits: self.call_limits(),
            attempts_max: limits.attempts,
            answer_grace: self.gateway.answer_grace,
            object_size_age: self.gateway.object_size_age,
            function_age: self.gateway.function_age,
            async_running_max: limits.async_running,
            async_results_max: limits.async_results,
            async_bytes_max: limits.async_bytes.as_u64(),
            async_age: limits.async_age,
            jobs: self.jobs.settings(),
        }
    }

    /// What a module may be.
    pub fn module_limits(&self) -> ModuleLimits {
        ModuleLimits {
            module_bytes: self.limits.module.as_u64(),
            memory_bytes: self.limits.memory.as_u64(),
            table_elements: self.limits.table,
            stack_bytes: self.limits.stack.as_u64(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ganglion_types::ErrorKind;

    fn parse(toml: &str) -> Result<Settings> {
        let defaults = Figment::from(Serialized::defaults(Settings::default()));
        Settings::from_figment(&defaults.merge(Toml::string(toml)))
    }

    #[test]
    fn a_functions_table_in_the_same_file_changes_nothing() {
        let settings = parse("[function]\nname = \"f\"\n[function.limits]\nmemory = \"1 MiB\"\n");
        assert_eq!(settings.unwrap(), Settings::default());
    }

    #[test]
    fn a_delta_that_no_message_takes_is_refused_by_name() {
        assert!(parse("[limits]\ndelta = \"256 MiB\"\n").is_ok());
        let refused = parse("[limits]\ndelta = \"257 MiB\"\n").unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid);
        assert!(refused.message().contains("limits.delta"), "{refused}");
    }

    #[test]
    fn a_file_changes_what_it_names_and_nothing_else() {
        let settings = parse("[limits]\ncall_time = \"1m 30s\"\nmemory = \"2 GiB\"\n").unwrap();
        assert_eq!(settings.limits.call_time, Duration::from_secs(90));
        assert_eq!(settings.call_limits().memory_bytes, 2 << 30);
        assert_eq!(settings.limits.output, Limits::default().output);
        assert_eq!(parse("").unwrap(), Settings::default());
    }

    #[test]
    fn the_default_file_says_the_defaults() {
        let only_the_file = Figment::from(Toml::string(Settings::DEFAULT_FILE));
        assert_eq!(
            only_the_file.extract::<Settings>().unwrap(),
            Settings::default()
        );
    }

    #[test]
    fn unknown_keys_and_bad_values_are_refused_by_name() {
        for (toml, named) in [
            ("[limits]\nmemroy = \"1 GiB\"", "memroy"),
            ("[limits]\ncall_time = \"soon\"", "soon"),
            ("[compute]\npermits = -1\nqueue = 3", "permits"),
            ("strorage = 1", "strorage"),
            ("[worker]\ninterruption = \"never\"", "interruption"),
            ("[jobs]\nbatch = 0", "jobs.batch"),
            ("[jobs]\nbatch = 513", "jobs.batch"),
            (
                "[jobs]\nresult = \"65 MiB\"\nkept_bytes = \"64 MiB\"",
                "jobs.result",
            ),
            (
                "[jobs]\nresult = \"65 MiB\"\nkept_bytes = \"64 MiB\"",
                "jobs.kept_bytes",
            ),
            (
                "[jobs]\nresult = \"64 MiB\"\n[link]\npayload = \"63 MiB\"",
                "jobs.result",
            ),
            (
                "[jobs]\nresult = \"64 MiB\"\n[link]\npayload = \"63 MiB\"",
                "link.payload",
            ),
        ] {
            let error = parse(toml).unwrap_err();
            assert!(error.message().contains(named), "{error}");
        }
    }
}
