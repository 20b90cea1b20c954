//! Images that all nodes have alike.
//!
//! Start-up code may read a clock or draw random numbers, so two nodes that run it can come to different memories; what a guest at
//! one of them has changed would make no sense at the other. So the image of a function that can go on at another node, or has a
//! zygote, is made once: the first node keeps it beside the module, and the others fetch it.

use ganglion_registry::{Compiled, Modules};
use ganglion_snapshot::Image;
use ganglion_types::{ContentHash, Error, Result};
use ganglion_wire::{Packing, open_delta, seal_delta};
use std::sync::Arc;

/// The image that another node has kept. `None` when there is none, or none that this build can use: its own then does.
pub(crate) async fn fetch(modules: &Modules, compiled: &Compiled) -> Result<Option<Arc<Image>>> {
    let Some(sealed) = modules.image(compiled.hash).await? else {
        return Ok(None);
    };
    let unpacked = tokio::task::spawn_blocking(move || {
        let delta = open_delta(&sealed, ganglion_types::ADDRESSABLE_BYTES)?;
        Image::from_delta(&delta).map_err(|error| Error::corrupt(error.to_string()))
    });
    match unpacked.await.map_err(ended)? {
        Ok(image) if image.globals().len() == compiled.shape.mutable_globals.len() => {
            Ok(Some(Arc::new(image)))
        }
        Ok(_) => {
            tracing::warn!(module = ?compiled.hash, "the kept image is of another build's module");
            Ok(None)
        }
        Err(error) => {
            tracing::warn!(module = ?compiled.hash, %error, "the kept image cannot be used");
            Ok(None)
        }
    }
}

/// Keeps an image for the other nodes. `false` when another node was sooner: its image is the function's.
pub(crate) async fn keep(
    modules: &Modules,
    module: ContentHash,
    image: Arc<Image>,
) -> Result<bool> {
    let sealed = tokio::task::spawn_blocking(move || seal_delta(&image.to_delta(), Packing::Zstd));
    let sealed = sealed.await.map_err(ended)??;
    modules.keep_image(module, sealed.into()).await
}

fn ended(error: tokio::task::JoinError) -> Error {
    Error::internal(format!("an image's task ended early: {error}"))
}
