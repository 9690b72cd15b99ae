/** What Streamlit heads its own message with; in another version that message would stay, as it does everywhere else. */
const LOST = "Connection error";

/**
 * Streamlit lays a message over the whole page when its server is gone, and asks for the internet. The page goes on
 * without a server and says so in a line of its own, so the message is closed and `lost` is called instead.
 */
export function watchConnection(page: Document, lost: () => void): void {
  new MutationObserver(() => {
    const message = page.querySelector<HTMLElement>("[data-testid=stDialog]");
    const close = message?.querySelector<HTMLElement>("button[aria-label=Close]");
    if (!close || message?.querySelector("h1, h2, h3, [slot=title]")?.textContent?.trim() !== LOST) return;
    lost();
    close.click();
  }).observe(page.body, { childList: true, subtree: true });
}
