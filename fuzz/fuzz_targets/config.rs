#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| drop(restante::config::parse(text)));
