//! The ports of a gateway, and a gateway that already answers.

use super::check::Check;
use crate::client::{Client, collect};
use crate::output::Ui;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use std::io;
use std::net::{Ipv4Addr, TcpListener};

#[derive(Deserialize)]
struct Readiness {
    ready: bool,
    reasons: Vec<String>,
}

/// Both ports, and the gateway of `--url`.
pub(super) async fn checks(client: &Client, ui: &Ui) -> Vec<Check> {
    vec![
        port("port 8080", 8080, client).await,
        port("port 8002", 8002, client).await,
        readiness(client, ui).await,
    ]
}

async fn port(name: &'static str, port: u16, client: &Client) -> Check {
    const PURPOSE: &str = "the HTTP API";
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => Check::ok(name, "free", PURPOSE),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => match client.lives_on(port).await
        {
            true => Check::ok(name, "a gateway answers", PURPOSE),
            false => Check::warn(
                name,
                "taken by another program",
                PURPOSE,
                "stop it, or listen elsewhere: ganglion up --http 127.0.0.1:9080",
            ),
        },
        Err(error) => Check::warn(
            name,
            error.to_string(),
            PURPOSE,
            "listen elsewhere: ganglion up --http ADDR",
        ),
    }
}

async fn readiness(client: &Client, ui: &Ui) -> Check {
    const NAME: &str = "gateway";
    const PURPOSE: &str = "every command but up, serve, demo and bench";
    let base = client.base();
    let mut response = match client
        .answer(client.short(Method::GET, "/readyz"), ui)
        .await
    {
        Ok(response) => response,
        Err(failure) => {
            let found = failure.report().message.clone();
            return Check::warn(
                NAME,
                found,
                PURPOSE,
                "start one with `ganglion up`, or name it with --url",
            );
        }
    };
    let status = response.status();
    let body = collect(&mut response, 1 << 20).await.unwrap_or_default();
    match serde_json::from_slice::<Readiness>(&body) {
        Ok(readiness) if readiness.ready && status == StatusCode::OK => {
            Check::ok(NAME, format!("{base} is ready"), PURPOSE)
        }
        Ok(readiness) => {
            let reasons = readiness.reasons.join("; ");
            let found = format!("{base} is not ready: {reasons}");
            Check::warn(
                NAME,
                found,
                PURPOSE,
                "`ganglion node list` shows which nodes answer",
            )
        }
        Err(_) => Check::warn(
            NAME,
            format!("{base} answered {status}, and is no gateway of Ganglion"),
            PURPOSE,
            "name the gateway with --url",
        ),
    }
}
