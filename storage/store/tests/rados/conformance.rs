//! Every promise of the trait.

use crate::lab::{Lab, shared_store};
use ganglion_store::ObjectStore;
use std::sync::Arc;

fn fresh() -> (Arc<Lab>, Arc<dyn ObjectStore>) {
    let (lab, store) = shared_store();
    (lab, Arc::new(store))
}

ganglion_store::suite_tests!(fresh);
