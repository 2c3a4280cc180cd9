// The two states in which the whole page says one thing: nobody answers, and this device was removed. Neither shows a picture.

import { LitElement, css, html, nothing, type TemplateResult } from 'lit';
import { customElement, state } from 'lit/decorators.js';

import { Follows, home } from '../home.js';
import { icon, mark, type IconName } from '../parts/icons.js';
import { look } from '../parts/look.js';
import { S } from '../strings.js';

const style = css`
  :host {
    min-height: 100dvh;
    display: grid;
    place-items: center;
    padding: 24px;
  }
  main {
    width: min(560px, 100%);
    display: grid;
    gap: 18px;
    padding: clamp(24px, 5vw, 44px);
    border-radius: 24px;
  }
  .sign {
    width: 68px;
    height: 68px;
    border-radius: 20px;
    display: grid;
    place-items: center;
    background: var(--warn-soft);
    color: var(--warn);
  }
  .sign.bad {
    background: var(--bad-soft);
    color: var(--bad);
  }
  .sign .icon {
    width: 2.2rem;
    height: 2.2rem;
  }
  .brand {
    color: var(--ink-3);
    font-weight: 600;
    gap: 8px;
  }
  .mark {
    width: 22px;
    color: var(--accent);
  }
`;

function whole(sign: IconName, kind: string, title: string, words: unknown, act: unknown): TemplateResult {
  return html`<main class="card" role="alert">
    <span class="sign ${kind}">${icon(sign)}</span>
    <h1>${title}</h1>
    ${words}
    <div class="row spread">
      ${act}
      <span class="row brand">${mark()}${S.name}</span>
    </div>
  </main>`;
}

@customElement('page-lost')
export class PageLost extends LitElement {
  @state() private asking = false;

  constructor() {
    super();
    new Follows(this);
  }

  override render() {
    const stranger = home.lost?.why === 'stranger';
    const words = html`<p class="soft">${stranger ? S.lost.strangerWhy : S.lost.goneWhy}</p>
      <p class="soft">${stranger ? S.lost.strangerDo : S.lost.goneDo}</p>
      ${home.lost?.said ? html`<p class="small soft">${S.lost.said} <span class="mono">${home.lost.said}</span></p>` : nothing}`;
    const act = html`<button class="primary" ?disabled=${this.asking} @click=${this.again}>
      ${this.asking ? html`<span class="spin"></span>` : nothing}${S.tryAgain}
    </button>`;
    return whole(stranger ? 'key' : 'unplugged', '', stranger ? S.lost.stranger : S.lost.gone, words, act);
  }

  private again = async () => {
    this.asking = true;
    await home.load();
    this.asking = false;
  };

  static override styles = [look, style];
}

@customElement('page-removed')
export class PageRemoved extends LitElement {
  override render() {
    const words = html`<p class="soft">${S.removed.why}</p>
      <p class="soft">${S.removed.what}</p>`;
    const act = html`<button @click=${() => this.dispatchEvent(new Event('again'))}>${S.removed.again}</button>`;
    return whole('key', 'bad', S.removed.title, words, act);
  }

  static override styles = [look, style];
}
