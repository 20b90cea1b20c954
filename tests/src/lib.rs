//! The integration tests of the house.
