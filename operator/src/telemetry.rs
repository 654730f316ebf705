//! Logging: JSON lines for machines, text on request.

use tracing_subscriber::EnvFilter;

use crate::args::RunOptions;

/// Sends every log line to standard error.
pub fn init(options: &RunOptions) {
    let filter = EnvFilter::try_new(options.log_filter()).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if options.log_text {
        builder.init();
    } else {
        builder.json().flatten_event(true).with_current_span(false).with_span_list(false).init();
    }
}
