#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _accepted = cedargate_fuzz::bundle::run(data);
});
