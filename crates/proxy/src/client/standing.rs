//! Whether a client could still connect: the proof that it gave in its handshake, beside the proof
//! that a new client has to give.

use std::{future, rc::Rc};

use endpoint::ClientTrust;
use tokio::sync::watch;

use crate::{
    context::{Context, Current},
    tls::Session,
};

/// The standing of one client's connection
#[derive(Clone)]
pub(crate) struct Standing {
    session: Option<Rc<Session>>,
    to_prove: watch::Receiver<Option<ClientTrust>>,
}

impl Standing {
    pub(crate) fn new(session: Option<Rc<Session>>, current: &Current) -> Self {
        Self { session, to_prove: current.to_prove() }
    }

    /// Resolves when a new client has to prove something else than this one has, for example a
    /// certificate of another authority.
    pub(crate) async fn lost(mut self) {
        let session = self.session;
        if self.to_prove.wait_for(|to_prove| has_lost(session.as_deref(), to_prove.as_ref())).await.is_err() {
            // The listener is gone, and the drain ends what is left.
            future::pending::<()>().await;
        }
    }

    /// Whether that is so by now
    pub(crate) fn is_lost(session: Option<&Session>, context: &Context) -> bool {
        has_lost(session, context.to_prove().as_ref())
    }
}

fn has_lost(session: Option<&Session>, to_prove: Option<&ClientTrust>) -> bool {
    session.map(|session| &session.trust) != to_prove
}
