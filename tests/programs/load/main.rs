//! Clients for the demo: `test-load ADDRESS REQUESTS_A_SECOND [AUTHORITY]` asks until its standard input ends, then prints the outcome, and
//! fails if a request failed. With the file of an AUTHORITY they speak HTTP/2 by TLS with `localhost`, and else HTTP/1.1.

use std::{
    env, fs,
    io::{self, Read, Write},
    process::ExitCode,
};

use e2e::load::{Load, Protocol};

fn main() -> io::Result<ExitCode> {
    let mut arguments = env::args().skip(1);
    let address = arguments.next().and_then(|address| address.parse().ok());
    let a_second = arguments.next().and_then(|number| number.parse().ok());
    let (Some(address), Some(a_second)) = (address, a_second) else {
        writeln!(io::stderr(), "test-load ADDRESS REQUESTS_A_SECOND [AUTHORITY]")?;
        return Ok(ExitCode::from(64));
    };
    let protocol = match arguments.next() {
        Some(authority) => Protocol::Http2 { authority: fs::read_to_string(authority)?, name: "localhost".into() },
        None => Protocol::Http1,
    };
    let load = Load::start_with(&protocol, address, a_second);
    io::stdin().read_to_end(&mut Vec::new())?;
    let outcome = load.end();
    writeln!(io::stdout(), "{outcome}")?;
    Ok(if outcome.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
