//! Clients for the demo: `test-load ADDRESS REQUESTS_A_SECOND` asks until its standard input ends, then prints the outcome, and fails
//! if a request failed.

use std::{
    env,
    io::{self, Read, Write},
    process::ExitCode,
};

use e2e::load::Load;

fn main() -> io::Result<ExitCode> {
    let mut arguments = env::args().skip(1);
    let address = arguments.next().and_then(|address| address.parse().ok());
    let a_second = arguments.next().and_then(|number| number.parse().ok());
    let (Some(address), Some(a_second)) = (address, a_second) else {
        writeln!(io::stderr(), "test-load ADDRESS REQUESTS_A_SECOND")?;
        return Ok(ExitCode::from(64));
    };
    let load = Load::start(address, a_second);
    io::stdin().read_to_end(&mut Vec::new())?;
    let outcome = load.end();
    writeln!(io::stdout(), "{outcome}")?;
    Ok(if outcome.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
