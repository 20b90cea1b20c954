//! Compiles the messages of `proto/` to Rust, without `protoc`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files = protox::compile(
        [
            "announcement.proto",
            "batch.proto",
            "call.proto",
            "delta.proto",
            "node.proto",
            "object.proto",
            "offload.proto",
            "request.proto",
        ],
        ["proto"],
    )?;
    // Rare and large, they would make every request and answer large.
    prost_build::Config::new()
        .boxed("ganglion.wire.Request.operation.offload")
        .boxed("ganglion.wire.Answer.outcome.offloaded")
        .boxed("ganglion.wire.Request.operation.batch")
        .compile_fds(files)?;
    Ok(())
}
