//! The gateway over real sockets. Nodes are stand-ins that do as they are told; everything else is what runs in service.

mod calls;
mod cost;
mod faasm;
mod functions;
mod health;
mod house;
mod objects;
mod openapi;
mod placement;
mod stand_in;
