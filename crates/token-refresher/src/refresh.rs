//! `run()`: keeps each secret fresh until the stop.

use std::time::Duration;

use anyhow::Context as _;
use lifecycle::{End, Exit, Lifecycle, config};

use crate::{args::Args, config::Config, fetched::Fetched, input::Inputs, plan::Plan};

/// Between two looks at a value without an expiry
const INTERVAL: Duration = Duration::from_secs(60);

/// Refreshes as the arguments say.
pub async fn run(args: Args, life: Lifecycle) -> anyhow::Result<End> {
    let path = args.config.as_deref().context("--config is missing")?;
    let config = config::read::<Config>(path, &args, &life).await?;
    let plan = Plan::of(&config.secrets).map_err(|_| Exit::Config.because("the configuration has faults"))?;
    let inputs = Inputs::new(std::collections::HashMap::new());
    let mut held: std::collections::HashMap<String, Fetched> = std::collections::HashMap::new();
    loop {
        for secret in &plan.secrets {
            let answer = match held.get(&secret.name) {
                Some(last) if last.renewable => secret.source.renew(last, &inputs).await,
                _ => secret.source.fetch(&inputs).await,
            };
            let fetched = match answer {
                Ok(fetched) => fetched,
                Err(error) => {
                    tracing::warn!(secret = secret.name, reason = error.label(), retry_after = ?error.retry_after(), "cannot refresh: {error}");
                    return Err(error.exit().because(error.to_string()));
                }
            };
            for output in &secret.outputs {
                output.write(&fetched.fields).await.map_err(|error| error.exit().because(error.to_string()))?;
            }
            tracing::info!(secret = secret.name, life = ?fetched.life, renewable = fetched.renewable, "refreshed");
            held.insert(secret.name.clone(), fetched);
        }
        life.started();
        tokio::select! {
            exit = life.stop_requested() => return Ok(exit.into()),
            () = tokio::time::sleep(INTERVAL) => (),
        }
    }
}
