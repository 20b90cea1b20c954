//! The promises of the crate page: as scenarios to read, as properties of any facts, and over simulated runs.

mod properties;
mod scenarios;
mod simulation;
mod world;
