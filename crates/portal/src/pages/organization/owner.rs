//! An organization passes to another owner: offered by the one, accepted or declined by the other.

use super::{HERE, address};
use crate::Failure;
use crate::pages::fields::{Fields, Mistake};
use crate::pages::look::{Head, Viewer, named};
use crate::pages::{Answer, go};
use crate::service::{members, organizations, ownership};
use axum::response::IntoResponse;
use leasehold_core::ids::{AccountId, OrganizationId};
use leasehold_web::components::{Button, Field, button, card, link_button, page_header};
use leasehold_web::extract::ApiPath;
use leasehold_web::maud::{Markup, html};
use leasehold_wire::portal::{Member, OfferOwnership, Organization};

type Which = ApiPath<(OrganizationId, AccountId)>;

async fn look(
    viewer: &Viewer,
    organization: OrganizationId,
    account: AccountId,
) -> Result<(Organization, Member), Failure> {
    let load = move |portal: &_, caller: &_| {
        let member = members::get(portal, caller, organization, account)?;
        Ok((organizations::get(portal, caller, organization)?, member))
    };
    let (organization, member) = viewer.run(load).await?;
    // Nobody else can offer it, whatever they may do in it.
    if Some(organization.owner.id) == viewer.account() { Ok((organization, member)) } else { Err(Failure::Forbidden) }
}

fn page_of(viewer: &Viewer, (organization, member): &(Organization, Member), mistake: &Mistake) -> Markup {
    let at = format!("{}/members/{}", address(organization.id), member.account.id);
    let content = card(
        "",
        html! {
            (page_header(&format!("Make {} the owner?", member.account.name), &organization.name, html! {}))
            (mistake.panel(&["password"]))
            p { (named("", &member.account.name, " ")) "is asked, and has 14 days to say yes. From then on the organization is theirs, with its licenses and license servers, and you are an administrator of it." }
            p { "What is your own person's stays yours: licenses that are marked " em { "personal" } ", license servers that work for you, your account." }
            form #owner method="post" action={ (at) "/owner" } {
                (Field::new("password", "Your password").required().autocomplete("current-password")
                    .error(mistake.at("password", "The password").as_deref()).password())
                div.actions { (button("Offer It", Button::Danger)) (link_button("Cancel", &at, Button::Plain)) }
            }
        },
    );
    viewer.page(Head::narrow("Make somebody the owner", HERE), content)
}

/// Asks first.
pub(in crate::pages) async fn form(viewer: Viewer, ApiPath((organization, account)): Which) -> Answer {
    let sight = look(&viewer, organization, account).await?;
    Ok(page_of(&viewer, &sight, &Mistake::none()).into_response())
}

/// Offers it.
pub(in crate::pages) async fn offer(viewer: Viewer, ApiPath((organization, account)): Which, fields: Fields) -> Answer {
    let wish = OfferOwnership { account, password: fields.get("password").to_owned() };
    let offer = move |portal: &_, caller: &_| ownership::offer(portal, caller, organization, &wish);
    match viewer.run(offer).await {
        Ok(()) => go(&format!("{}/members/{account}?done=offered", address(organization))),
        Err(failure @ Failure::Invalid { .. }) => {
            let mistake = Mistake::from(failure);
            let sight = look(&viewer, organization, account).await?;
            Ok(mistake.answer(page_of(&viewer, &sight, &mistake)))
        }
        Err(failure) => Err(failure.into()),
    }
}

/// Takes the offer back.
pub(in crate::pages) async fn end(viewer: Viewer, ApiPath(organization): ApiPath<OrganizationId>) -> Answer {
    viewer.run(move |portal, caller| ownership::end_offer(portal, caller, organization)).await?;
    go(&format!("{}?done=offer_ended", address(organization)))
}

/// Says yes.
pub(in crate::pages) async fn accept(viewer: Viewer, ApiPath(organization): ApiPath<OrganizationId>) -> Answer {
    viewer.run(move |portal, caller| ownership::accept(portal, caller, organization)).await?;
    go(&format!("{}?done=yours", address(organization)))
}

/// Says no.
pub(in crate::pages) async fn decline(viewer: Viewer, ApiPath(organization): ApiPath<OrganizationId>) -> Answer {
    viewer.run(move |portal, caller| ownership::end_offer(portal, caller, organization)).await?;
    go("/account?done=declined")
}
