//! A cluster of this process.

use crate::api::Api;
use ganglion_node::{Process, Service, Settings, Topology};
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::Path;
use tempfile::TempDir;

pub(crate) struct Lab {
    pub(crate) service: Service,
    api: Api,
    folder: TempDir,
}

impl Deref for Lab {
    type Target = Api;
    fn deref(&self) -> &Api {
        &self.api
    }
}

impl Lab {
    /// The cluster of `ganglion up`, on a port and in a folder of its own, with the bundled functions.
    pub(crate) async fn up() -> Self {
        Self::up_with(|_| {}).await
    }

    /// With settings that differ from the default.
    pub(crate) async fn up_with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::up_in(tempfile::tempdir().unwrap(), change).await
    }

    async fn up_in(folder: TempDir, change: impl FnOnce(&mut Settings)) -> Self {
        let process = Process::new(settings(folder.path(), change)).unwrap();
        let service = Service::cluster(
            process,
            Topology {
                compute: 2,
                storage: 3,
            },
        )
        .await
        .unwrap();
        Self::with(service, folder).await
    }

    /// One node with every role.
    pub(crate) async fn single() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let process = Process::new(settings(folder.path(), |_| {})).unwrap();
        let service = Service::start(process).await.unwrap();
        Self::with(service, folder).await
    }

    async fn with(service: Service, folder: TempDir) -> Self {
        let frontend = service.frontend().unwrap();
        frontend.upload_bundled().await.unwrap();
        let url = format!("http://{}", frontend.addresses()[0]);
        let lab = Self {
            service,
            api: Api::new(&url),
            folder,
        };
        lab.api.until_ready().await;
        lab
    }

    /// Ends the cluster and starts another over the same folder.
    pub(crate) async fn restart(self) -> Self {
        assert!(self.service.shutdown().await, "everything had finished");
        Self::up_in(self.folder, |_| {}).await
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.service.frontend().unwrap().addresses()[0]
    }
}

fn settings(folder: &Path, change: impl FnOnce(&mut Settings)) -> Settings {
    let mut settings = Settings {
        data: folder.join("data"),
        ..Settings::default()
    };
    settings.listen.http = vec![SocketAddr::from(([127, 0, 0, 1], 0)).into()];
    change(&mut settings);
    settings
}
