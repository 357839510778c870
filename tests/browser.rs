//! The panel in a real browser: headless Chromium, over WebDriver, with its script and without.
//!
//! Needs the Debian packages chromium and chromium-driver, which `tests/install test` brings. axe-core comes from npm where
//! that can be reached. Screenshots are written to `target/tmp/screenshots`, or to the folder in RESTANTE_SCREENSHOTS.

#[path = "browser/driver.rs"]
mod driver;
#[path = "browser/looks.rs"]
mod looks;
#[path = "browser/story.rs"]
mod story;

// The client and the house of the panel's own tests.
#[path = "panel/client.rs"]
#[allow(dead_code, reason = "these tests need a part of it")]
mod client;
#[path = "panel/house.rs"]
#[allow(dead_code, reason = "these tests need a part of it")]
mod house;
#[path = "world/mod.rs"]
mod world;
