//! `key`: answers with that object, a PNG, a quarter as wide and as high, as PNG. It is decoded and made smaller where it is. The pixels
//! are those of the function `thumbnailer_shrink` in C++.

mod image;

use ganglion::{Failure, Object, on_storage};

#[ganglion::main(object = "input")]
fn main(key: String) -> Result<Vec<u8>, Failure> {
    let small = on_storage(&key, || {
        let decoded = image::decoded(&Object::open(&key)?).ok_or_else(|| {
            Failure::new(format!(
                "not a PNG, or a damaged or too large one: object {key}"
            ))
        })?;
        Ok::<_, Failure>(decoded.shrunk())
    })?;
    image::encoded(&small).ok_or_else(|| "the smaller image cannot be written as PNG".into())
}
