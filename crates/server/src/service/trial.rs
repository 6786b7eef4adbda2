//! *Would this work?*: what the engine's trial of a checkout says, in sentences.

use super::access::Caller;
use super::failure::Failure;
use super::leases::Asker;
use crate::server::Server;
use leasehold_core::access::ServerAction;
use leasehold_core::codes::DenialCode;
use leasehold_core::engine::{Engine, Trial, TrialLine, TrialVerdict};
use leasehold_core::ids::LeaseId;
use leasehold_core::pool::{Ask, LineVerdict, Source};
use leasehold_core::text::is_or_are;
use leasehold_core::time::Ms;
use leasehold_wire::server::{SimulateRequest, SimulateResponse, SimulateStep, SimulateVerdict, StepState};

impl Server {
    /// What a checkout would come to, with each step that leads there. Changes nothing.
    ///
    /// # Errors
    /// [`Failure::BadField`], or the engine's.
    pub async fn simulate(&self, caller: &Caller, wish: SimulateRequest) -> Result<SimulateResponse, Failure> {
        self.authorize(caller, ServerAction::ReadTotals)?;
        let source = Source { address: wish.address.unwrap_or_else(|| caller.address()), loopback: wish.on_server };
        let ask = Ask {
            feature: wish.feature,
            seats: wish.seats,
            version: wish.version.into(),
            released_on: wish.released_on,
            user: wish.user.into(),
            host: wish.host.into(),
            host_id: "".into(),
            boot_id: "".into(),
            pid: 0,
            labels: std::collections::BTreeMap::new(),
        };
        ask.check().map_err(|error| Failure::BadField(error.to_string()))?;
        let now = self.now();
        let id = self.0.random.draw(|random| LeaseId::draw(now, random));
        let asked = ask.clone();
        let trial = self.0.engine.look(move |engine: &Engine, now| engine.trial(now, id, &asked, source)).await?;
        let steps = steps(&trial, &ask, now);
        let (verdict, ends_at, denial) = match trial.verdict {
            TrialVerdict::Granted { ends_at, .. } => (SimulateVerdict::Granted, Some(ends_at), None),
            TrialVerdict::AsksPortal { otherwise, .. } => (SimulateVerdict::AsksPortal, None, Some(otherwise)),
            TrialVerdict::Denied(denial) => (SimulateVerdict::Denied, None, Some(denial)),
        };
        let denial = match denial {
            Some(denial) => {
                let asker = Asker { address: caller.address(), sees_all: caller.is_signed_in() };
                Some(Box::new(self.denied(*denial, asker).await?))
            }
            None => None,
        };
        Ok(SimulateResponse { verdict, steps, ends_at: ends_at.map(Into::into), denial })
    }
}

fn step(state: StepState, what: impl Into<String>) -> SimulateStep {
    SimulateStep { state, what: what.into() }
}

fn steps(trial: &Trial, ask: &Ask, now: Ms) -> Vec<SimulateStep> {
    let mut steps = Vec::new();
    match trial.closed {
        Some(code) => {
            steps.push(step(StepState::Stopped, code.explain().what));
            return steps;
        }
        None => steps.push(step(StepState::Passed, "The license server is activated and gives seats.")),
    }
    match &trial.barred {
        Some(release) => {
            let why = if release.reason.is_empty() {
                String::new()
            } else {
                format!(" The reason given: {}", release.reason)
            };
            let until = release.not_again_until.minute();
            let what =
                format!("An administrator took a seat back from this user at this host: no other before {until}.{why}");
            steps.push(step(StepState::Stopped, what));
            return steps;
        }
        None => steps.push(step(StepState::Passed, "No seat was taken back from this user at this host lately.")),
    }
    match trial.refused_by {
        Some(list) => {
            let what = format!(
                "{} The administrator can change it: Settings, Who gets seats.",
                list.sentence(&ask.user, &ask.host)
            );
            steps.push(step(StepState::Stopped, what));
            return steps;
        }
        None => steps.push(step(StepState::Passed, "The lists of this server let this user at this host have seats.")),
    }
    let code = |denied: &TrialVerdict| match denied {
        TrialVerdict::Denied(denial) => Some(denial.code),
        TrialVerdict::AsksPortal { license: None, .. } => Some(DenialCode::Pending),
        _ => None,
    };
    if code(&trial.verdict) == Some(DenialCode::Pending) {
        steps.push(step(StepState::Stopped, DenialCode::Pending.explain().what));
        return steps;
    }
    if trial.shares {
        let what = "This user has a seat on this host that its processes share: another of them takes no other seat.";
        steps.push(step(StepState::Gives, what));
    }
    if trial.lines.is_empty() {
        steps.push(step(StepState::Skipped, format!("No license on this server contains `{}`.", ask.feature)));
    }
    let mut wanted = if trial.shares { 0 } else { ask.seats };
    for line in &trial.lines {
        steps.push(line_step(line, ask, &mut wanted, now));
    }
    match &trial.verdict {
        TrialVerdict::Granted { ends_at, .. } => {
            steps.push(step(StepState::Gives, format!("The seats could be held until {}.", ends_at.minute())));
        }
        TrialVerdict::AsksPortal { .. } => steps.push(step(
            StepState::Passed,
            "The account has more at the portal or at other license servers: the portal is asked, for two seconds at most.",
        )),
        TrialVerdict::Denied(denial) => steps.push(step(StepState::Stopped, denial.explain().what)),
    }
    steps
}

fn line_step(line: &TrialLine, ask: &Ask, wanted: &mut u32, now: Ms) -> SimulateStep {
    let capacity = line.line.capacity(ask.feature.as_str());
    let name =
        format!("{}, {} of {capacity} seats out, until {}", line.line.product_name, line.out, line.line.until.minute());
    let (state, why) = match line.verdict {
        _ if *wanted == 0 => (StepState::Skipped, "not needed any more".to_owned()),
        LineVerdict::Ended if line.line.until <= now => (StepState::Skipped, "it has ended".to_owned()),
        LineVerdict::Ended => (StepState::Skipped, "it ends within seconds".to_owned()),
        LineVerdict::NotForThis(DenialCode::Reserved) => (
            StepState::Skipped,
            "assigned to the person at the license server's own machine, and given there only".to_owned(),
        ),
        LineVerdict::NotForThis(_) => {
            let until = line.line.terms.released_before.map(|date| format!(" {date}")).unwrap_or_default();
            (
                StepState::Skipped,
                format!("its maintenance is until{until}, and the application was released later or does not say when"),
            )
        }
        LineVerdict::Full if line.held > 0 => (
            StepState::Skipped,
            format!(
                "no seat is free, {} {} held since the license server was restored, because laptops may have borrowed them",
                line.held,
                is_or_are(line.held.into())
            ),
        ),
        LineVerdict::Full => (StepState::Skipped, "no seat is free".to_owned()),
        LineVerdict::Promised => (
            StepState::Skipped,
            "its free seats are on their way back to the portal, or stand for seats that run out".to_owned(),
        ),
        LineVerdict::Gives(free) => {
            let taken = free.min(*wanted);
            *wanted -= taken;
            (StepState::Gives, format!("{free} can be taken, {taken} would be"))
        }
    };
    step(state, format!("{name}: {why}."))
}
