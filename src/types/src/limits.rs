//! The limits that a guest meets. Each is an operator's setting, and its name stands in the error.

use std::time::Duration;

/// What one call may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallLimits {
    /// Wall time from admission to answer. Setting `limits.call_time`.
    pub wall: Duration,
    /// Linear memory, in bytes, object windows not counted. Setting `limits.memory`.
    pub memory_bytes: u64,
    /// Bytes set as output. Setting `limits.output`.
    pub output_bytes: u64,
    /// Bytes of stdout and, apart from it, of stderr. Setting `limits.log`.
    pub log_bytes: u64,
}

impl Default for CallLimits {
    fn default() -> Self {
        Self {
            wall: Duration::from_secs(60),
            memory_bytes: 1 << 30,
            output_bytes: 64 << 20,
            log_bytes: 1 << 20,
        }
    }
}

/// What an uploaded module may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModuleLimits {
    /// Size of the uploaded file, in bytes. Setting `limits.module`.
    pub module_bytes: u64,
    /// Linear memory that the module asks for at its start, in bytes. Setting `limits.memory`.
    pub memory_bytes: u64,
    /// Elements of its function table. Setting `limits.table`.
    pub table_elements: u64,
    /// Native stack of a guest, in bytes. Setting `limits.stack`.
    pub stack_bytes: u64,
}

impl Default for ModuleLimits {
    fn default() -> Self {
        Self {
            module_bytes: 64 << 20,
            memory_bytes: 1 << 30,
            table_elements: 500_000,
            stack_bytes: 1 << 20,
        }
    }
}
