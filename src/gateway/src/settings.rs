//! What an operator can set.

use ganglion_types::CallLimits;
use std::time::Duration;

/// Limits and times of a gateway. Each field names its setting, which is also named by the error it causes.
#[derive(Clone, Debug)]
pub struct GatewaySettings {
    /// Largest body of a call, in bytes; the input is part of it. Setting `limits.input`.
    pub input_bytes_max: u64,
    /// Largest object, in bytes. Setting `limits.object`.
    pub object_bytes_max: u64,
    /// Largest uploaded module, in bytes. Setting `limits.module`.
    pub module_bytes_max: u64,
    /// What one call may use; its `wall` is also the deadline of a call that asks for none.
    pub call_limits: CallLimits,
    /// Nodes that one call is offered to before its refusal reaches the user. Setting `limits.attempts`.
    pub attempts_max: u32,
    /// How long after its deadline a node's answer is still awaited; beyond, nobody knows what became of the call.
    /// Setting `gateway.answer_grace`.
    pub answer_grace: Duration,
    /// How long an object's size is taken as known for placement. Setting `gateway.object_size_age`.
    pub object_size_age: Duration,
    /// How long a function's name is taken as known before it is looked at again. Setting `gateway.function_age`.
    pub function_age: Duration,
    /// Asynchronous calls that run or wait at once. Setting `limits.async_running`.
    pub async_running_max: usize,
    /// Results of asynchronous calls kept to be asked for. Setting `limits.async_results`.
    pub async_results_max: usize,
    /// Their outputs together, in bytes. Setting `limits.async_bytes`.
    pub async_bytes_max: u64,
    /// How long a result is kept. Setting `limits.async_age`.
    pub async_age: Duration,
    /// Jobs.
    pub jobs: JobSettings,
}

/// Limits of jobs: functions over many objects.
#[derive(Clone, Debug)]
pub struct JobSettings {
    /// Jobs that run at once. Setting `jobs.running`.
    pub running_max: usize,
    /// Time of one job, its last combining included. Setting `jobs.time`.
    pub time: Duration,
    /// Objects of one job. Setting `jobs.objects`.
    pub objects_max: u32,
    /// Objects of one batch. Setting `jobs.batch`.
    pub batch_parts_max: usize,
    /// Bytes of the objects of one batch together, when there is more than one. Setting `jobs.batch_bytes`.
    pub batch_bytes_max: u64,
    /// A job's result, in bytes. Setting `jobs.result`.
    pub result_bytes_max: u64,
    /// Ended jobs kept to be asked for. Setting `jobs.kept`.
    pub kept_max: usize,
    /// Their results together, in bytes. Setting `jobs.kept_bytes`.
    pub kept_bytes_max: u64,
    /// How long an ended job is kept. Setting `jobs.age`.
    pub age: Duration,
}

impl Default for JobSettings {
    fn default() -> Self {
        Self {
            running_max: 8,
            time: Duration::from_secs(3_600),
            objects_max: 1_000_000,
            batch_parts_max: 64,
            batch_bytes_max: 256 << 20,
            result_bytes_max: 64 << 20,
            kept_max: 256,
            kept_bytes_max: 256 << 20,
            age: Duration::from_secs(3_600),
        }
    }
}

impl Default for GatewaySettings {
    fn default() -> Self {
        Self {
            input_bytes_max: 16 << 20,
            object_bytes_max: 16 << 30,
            module_bytes_max: 64 << 20,
            call_limits: CallLimits::default(),
            attempts_max: 4,
            answer_grace: Duration::from_secs(5),
            object_size_age: Duration::from_secs(30),
            function_age: Duration::from_secs(1),
            async_running_max: 256,
            async_results_max: 4_096,
            async_bytes_max: 256 << 20,
            async_age: Duration::from_secs(300),
            jobs: JobSettings::default(),
        }
    }
}
