//! A browser window, used as a person uses it: by the words on links and buttons and the names of fields.

use super::site::{PASSWORD, given};
use serde_json::{Value, json};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;
use thirtyfour::prelude::{ScriptRet, WebDriverResult};
use thirtyfour::{
    By, CapabilitiesHelper as _, ChromeCapabilities, ChromiumLikeCapabilities as _, DesiredCapabilities, Key,
    TypingData, WebDriver, WebElement,
};
use tokio::task::LocalSet;

/// Longest wait for something that must happen.
const BOUND: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);
/// Most stops of the keyboard on a page.
const STOPS_MAX: u32 = 150;
const ARGUMENTS: &[&str] = &[
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--window-size=1280,900",
    // Where a name is needed, as behind a proxy.
    "--host-resolver-rules=MAP *.nimbus.test 127.0.0.1",
];

/// How a page is to look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Scheme {
    Light,
    Dark,
}

impl Scheme {
    pub(super) const BOTH: [Scheme; 2] = [Scheme::Light, Scheme::Dark];

    pub(super) fn word(self) -> &'static str {
        match self {
            Scheme::Light => "light",
            Scheme::Dark => "dark",
        }
    }
}

/// One window with a profile of its own.
#[derive(Clone)]
pub(super) struct Window {
    driver: WebDriver,
    downloads: PathBuf,
}

/// Runs a test with a window, which is closed however it ends. The profile and what is downloaded lie in `folder`.
pub(super) fn with_window<F: Future<Output = ()> + 'static>(folder: &Path, test: impl FnOnce(Window) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let window = Window::open_in(folder).await;
        // As a task, so that a failed assertion ends only the task.
        let outcome = tokio::task::spawn_local(test(window.clone())).await;
        let closed = window.driver.quit().await;
        if let Err(failed) = outcome {
            std::panic::resume_unwind(failed.into_panic());
        }
        closed.unwrap();
    });
}

impl Window {
    async fn open_in(folder: &Path) -> Window {
        let downloads = folder.join("downloads");
        std::fs::create_dir(&downloads).unwrap();
        let mut wanted: ChromeCapabilities = DesiredCapabilities::chrome();
        for argument in ARGUMENTS {
            wanted.add_arg(argument).unwrap();
        }
        wanted.add_arg(&format!("--user-data-dir={}", folder.join("profile").display())).unwrap();
        wanted.accept_insecure_certs(true).unwrap();
        let prefs = json!({ "download.default_directory": downloads, "download.prompt_for_download": false });
        wanted.add_experimental_option("prefs", prefs).unwrap();
        let driver = WebDriver::new(given("LEASEHOLD_TEST_WEBDRIVER"), wanted).await.unwrap();
        Window { driver, downloads }
    }

    pub(super) async fn open(&self, url: &str) {
        self.driver.goto(url).await.unwrap();
    }

    pub(super) async fn reload(&self) {
        self.driver.refresh().await.unwrap();
    }

    pub(super) async fn url(&self) -> String {
        self.driver.current_url().await.unwrap().to_string()
    }

    pub(super) async fn title(&self) -> String {
        self.driver.title().await.unwrap()
    }

    /// Waits for an element that can be seen.
    pub(super) async fn find(&self, by: By) -> WebElement {
        let shown = async || {
            for element in self.driver.find_all(by.clone()).await.ok()? {
                if element.is_displayed().await.unwrap_or(false) {
                    return Some(element);
                }
            }
            None
        };
        self.wait(&format!("{by:?}"), shown).await
    }

    async fn wait<T>(&self, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
        let found = tokio::time::timeout(BOUND, async {
            let mut again = tokio::time::interval(POLL);
            loop {
                again.tick().await;
                if let Some(found) = look().await {
                    return found;
                }
            }
        });
        if let Ok(found) = found.await {
            return found;
        }
        let page = self.text("body").await.unwrap_or_default();
        panic!("{what} did not come. {} shows:\n{page}", self.url().await);
    }

    async fn text(&self, css: &str) -> Option<String> {
        // Not what is drawn: capitals may be made by the style.
        let script = "return document.querySelector(arguments[0])?.textContent.replace(/\\s+/g, ' ')";
        self.run(script, vec![json!(css)]).await.ok()?.json().as_str().map(str::to_owned)
    }

    /// Waits until an element says something; answers all that it says.
    pub(super) async fn see(&self, css: &str, part: &str) -> String {
        let said = async || self.text(css).await.filter(|text| text.contains(part));
        self.wait(&format!("{part:?} in {css}"), said).await
    }

    /// What an element that is there says now.
    pub(super) async fn said(&self, css: &str) -> String {
        self.see(css, "").await
    }

    /// Clicks what is there. A page that is kept up to date may draw it anew between a look and a click.
    pub(super) async fn click(&self, by: By) {
        let clicked = async || self.find(by.clone()).await.click().await.ok();
        self.wait("something that can be clicked", clicked).await;
    }

    pub(super) async fn follow(&self, words: &str) {
        self.click(By::XPath(format!("//a[normalize-space()=\"{words}\"]"))).await;
    }

    pub(super) async fn press(&self, words: &str) {
        self.click(By::XPath(format!("//button[normalize-space()=\"{words}\"]"))).await;
    }

    /// Opens a menu of the top bar and follows an entry.
    pub(super) async fn choose(&self, menu: &str, entry: &str) {
        self.find(By::XPath(format!("//summary[normalize-space()=\"{menu}\"]"))).await.click().await.unwrap();
        self.follow(entry).await;
    }

    pub(super) async fn fill(&self, field: &str, text: &str) {
        let field = self.find(By::Css(format!("[name=\"{field}\"]"))).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Chooses an entry of a list, by a part of its words.
    pub(super) async fn select(&self, field: &str, part: &str) {
        let option = format!("//select[@name=\"{field}\"]/option[contains(., \"{part}\")]");
        self.find(By::XPath(option)).await.click().await.unwrap();
    }

    /// Chooses one of a few, by its value.
    pub(super) async fn choose_one(&self, field: &str, value: &str) {
        self.find(By::Css(format!("input[name=\"{field}\"][value=\"{value}\"]"))).await.click().await.unwrap();
    }

    /// Chooses a file.
    pub(super) async fn attach(&self, field: &str, file: &Path) {
        self.find(By::Css(format!("[name=\"{field}\"]"))).await.send_keys(file.to_str().unwrap()).await.unwrap();
    }

    /// Moves the keyboard's focus on until it is on `field`, and types there.
    pub(super) async fn type_into(&self, field: &str, text: &str) {
        self.tab_to(field, "return document.activeElement.name === arguments[0]", json!(field)).await;
        self.type_keys(text).await;
    }

    /// Moves the keyboard's focus on until it is on what says `words`, and presses Enter there.
    pub(super) async fn press_key_on(&self, words: &str) {
        let said = "return document.activeElement.innerText.trim() === arguments[0]";
        self.tab_to(words, said, json!(words)).await;
        self.type_keys(Key::Enter).await;
    }

    /// The same in the row of a table that has `part`.
    pub(super) async fn press_key_on_in(&self, words: &str, part: &str) {
        let said = "const [words, part] = arguments[0], on = document.activeElement;
            return on.innerText.trim() === words && (on.closest('tr')?.innerText ?? '').includes(part)";
        self.tab_to(words, said, json!([words, part])).await;
        self.type_keys(Key::Enter).await;
    }

    async fn tab_to(&self, what: &str, there: &str, argument: Value) {
        self.find(By::Css("main")).await;
        for _ in 0..STOPS_MAX {
            if self.run(there, vec![argument.clone()]).await.unwrap().json() == &json!(true) {
                let seen = "const style = getComputedStyle(document.activeElement);
                    return style.outlineStyle !== 'none' || style.boxShadow !== 'none'";
                let seen = self.run(seen, Vec::new()).await.unwrap();
                assert_eq!(seen.json(), &json!(true), "nobody sees that the focus is on {what:?}");
                return;
            }
            self.type_keys(Key::Tab).await;
        }
        panic!("the keyboard does not reach {what:?} at {}", self.url().await);
    }

    async fn type_keys(&self, keys: impl Into<TypingData>) {
        self.driver.action_chain().send_keys(keys).perform().await.unwrap();
    }

    /// Follows a link to a file and waits until it was kept.
    pub(super) async fn download(&self, words: &str, ending: &str) -> PathBuf {
        self.follow(words).await;
        self.kept(ending).await
    }

    /// The same by a button.
    pub(super) async fn download_by(&self, words: &str, ending: &str) -> PathBuf {
        self.press(words).await;
        self.kept(ending).await
    }

    async fn kept(&self, ending: &str) -> PathBuf {
        let kept = async || {
            let files = std::fs::read_dir(&self.downloads).unwrap().map(|file| file.unwrap().path());
            let mut files = files.into_iter().filter(|file| file.extension().is_some_and(|found| found == ending));
            // The browser makes the file first and fills it then.
            files.find(|file| std::fs::metadata(file).is_ok_and(|found| found.len() > 0))
        };
        self.wait(&format!("a .{ending} file"), kept).await
    }

    /// As a user of the portal.
    pub(super) async fn sign_in(&self, portal: &str, email: &str) {
        self.open(&format!("{portal}/sign-in")).await;
        self.fill("email", email).await;
        self.fill("password", PASSWORD).await;
        self.press("Sign in").await;
        self.see("header", "Sign out").await;
    }

    /// As the administrator of the license server.
    pub(super) async fn administer(&self, server: &str) {
        self.open(&format!("{server}/sign-in")).await;
        self.fill("password", PASSWORD).await;
        self.press("Sign in").await;
        self.see("header", "Sign out").await;
    }

    /// Whether the cookies of the page go over HTTPS only; there must be some.
    pub(super) async fn cookies_are_secure(&self) -> bool {
        let cookies = self.driver.get_all_cookies().await.unwrap();
        assert!(!cookies.is_empty() && cookies.iter().all(|cookie| cookie.http_only == Some(true)), "{cookies:?}");
        cookies.iter().all(|cookie| cookie.secure == Some(true))
    }

    /// As if the browser had been opened anew.
    pub(super) async fn forget(&self) {
        self.driver.delete_all_cookies().await.unwrap();
    }

    pub(super) async fn run(&self, script: &str, arguments: Vec<Value>) -> WebDriverResult<ScriptRet> {
        self.driver.execute(script, arguments).await
    }

    pub(super) async fn devtools(&self, method: &str, parameters: Value) {
        self.driver.cdp().send_raw(method, parameters).await.unwrap();
    }

    pub(super) async fn set_scheme(&self, scheme: Scheme) {
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme.word() },
            // Colors on their way from one to the other would be judged.
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    /// What axe finds against WCAG 2.2 AA on the page as it is, a line for each element.
    pub(super) async fn violations(&self, axe: &str) -> Vec<String> {
        self.run(axe, Vec::new()).await.unwrap();
        let script = "const [tags, done] = arguments;
            axe.run(document, { runOnly: { type: 'tag', values: tags }, resultTypes: ['violations'] }).then(
                (found) => done(found.violations.flatMap((rule) => rule.nodes.map((node) =>
                    `${rule.id} (${rule.impact}): ${node.html}\\n      ${node.failureSummary.replace(/\\s+/g, ' ')}`))),
                (error) => done([`axe failed: ${error}`]))";
        let tags = json!(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]);
        let found = self.driver.execute_async(script, vec![tags]).await.unwrap();
        serde_json::from_value(found.json().clone()).unwrap()
    }

    /// Writes a picture of the window if `cargo xtask pictures` asks for it.
    pub(super) async fn picture(&self, name: &str) {
        let Some(folder) = std::env::var_os("LEASEHOLD_PICTURES") else { return };
        let height = self.run("return document.documentElement.scrollHeight", Vec::new()).await.unwrap();
        let height = height.json().as_u64().unwrap().clamp(500, 1500);
        let size = json!({ "width": 1280, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
        self.driver.screenshot(&Path::new(&folder).join(name)).await.unwrap();
        self.devtools("Emulation.clearDeviceMetricsOverride", json!({})).await;
    }
}
