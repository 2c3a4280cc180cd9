// Who can see into the home: every member, with its fingerprint; each can be renamed, others than this one removed in two steps. And the safety number.

import { LitElement, css, html, nothing, type TemplateResult } from 'lit';
import { customElement, state } from 'lit/decorators.js';
import { repeat } from 'lit/directives/repeat.js';

import { api } from '../api/client.js';
import type { Device } from '../api/types.js';
import { Follows, home, words } from '../home.js';
import { toasts } from '../notify.js';
import { icon } from '../parts/icons.js';
import { look } from '../parts/look.js';
import '../parts/safety-number.js';
import { S } from '../strings.js';
import { ago, moment } from '../times.js';

@customElement('page-devices')
export class PageDevices extends LitElement {
  @state() private devices: Device[] | null = null;
  @state() private failed = '';
  @state() private sure: string | null = null;
  @state() private busy = '';
  @state() private renaming: string | null = null;

  constructor() {
    super();
    new Follows(this, (happening) => {
      if (happening.type === 'devices_changed' || happening.type === 'rejoined') void this.load();
    });
  }

  override connectedCallback() {
    super.connectedCallback();
    void this.load();
  }

  private async load() {
    try {
      this.devices = await api.devices();
      this.failed = '';
    } catch (e) {
      this.failed = words(e);
    }
  }

  override render() {
    const number = home.state?.safety_number;
    return html`<div class="head">
        <div>
          <h1>${S.titles.devices}</h1>
          <p>${S.devices.lead}</p>
        </div>
      </div>
      <div class="two">
        <section class="stack">
          ${this.failed ? html`<div class="note bad">${icon('warning')}<div>${this.failed}</div></div>` : nothing}
          <ul class="card">
            ${repeat(
              this.devices ?? [],
              (device) => device.id,
              (device) => this.one(device),
            )}
          </ul>
          <p class="small soft">${S.devices.add}</p>
        </section>
        ${number
          ? html`<section class="card stack safety">
              <div class="row">${icon('key')}<h2>${S.devices.safety}</h2></div>
              <safety-number .number=${number}></safety-number>
              <p class="soft">${S.devices.safetyWhy}</p>
              <p class="soft">${S.devices.safetyHow}</p>
            </section>`
          : nothing}
      </div>`;
  }

  private one(device: Device): TemplateResult {
    return html`<li>
      <div class="row spread">
        <div class="grow">
          ${this.renaming === device.id ? this.renameForm(device) : html`<h2>${device.name} ${device.this_device ? html`<b>${S.devices.this}</b>` : nothing}</h2>`}
          <p class="small soft">
            ${S.devices.added(moment(device.added_ms))}${device.this_device
              ? nothing
              : html` · ${device.last_seen_ms === null ? S.devices.unseen : S.devices.seen(ago(device.last_seen_ms, Date.now()))}`}
          </p>
          <p class="mono print"><span class="hidden-but-read">${S.devices.fingerprint}: </span>${device.fingerprint}</p>
        </div>
        ${this.renaming === device.id || this.sure === device.id
          ? nothing
          : html`<div class="row">
              <button aria-label=${S.devices.renameOne(device.name)} @click=${() => (this.renaming = device.id)}>
                ${icon('pencil')}${S.devices.rename}
              </button>
              ${device.this_device
                ? nothing
                : html`<button class="danger" aria-label=${S.devices.removeOne(device.name)} @click=${() => (this.sure = device.id)}>
                    ${icon('trash')}${S.devices.remove}
                  </button>`}
            </div>`}
      </div>
      ${this.sure === device.id ? this.confirm(device) : nothing}
    </li>`;
  }

  private confirm(device: Device): TemplateResult {
    const busy = this.busy === device.id;
    return html`<div class="note bad sure" role="alertdialog" aria-label=${S.devices.removeSure(device.name)}>
      <div class="grow">${S.devices.removeSure(device.name)}</div>
      <div class="row">
        <button ?disabled=${busy} @click=${() => (this.sure = null)}>${S.cancel}</button>
        <button class="primary danger" ?disabled=${busy} @click=${() => this.removeOne(device)}>
          ${busy ? html`<span class="spin"></span>${S.devices.removing}` : S.devices.removeDo}
        </button>
      </div>
    </div>`;
  }

  private renameForm(device: Device): TemplateResult {
    return html`<form class="row" @submit=${(e: SubmitEvent) => this.rename(e, device.id)}>
      <input name="name" required maxlength="64" aria-label=${S.devices.renameLabel(device.name)} .value=${device.name} />
      <button class="primary" ?disabled=${this.busy === 'rename'}>${S.devices.save}</button>
      <button type="button" class="quiet" @click=${() => (this.renaming = null)}>${S.cancel}</button>
    </form>`;
  }

  private async rename(e: SubmitEvent, id: string) {
    e.preventDefault();
    const name = String(new FormData(e.target as HTMLFormElement).get('name') ?? '').trim();
    if (!name) return;
    this.busy = 'rename';
    try {
      await api.renameDevice(id, name);
      this.renaming = null;
    } catch (error) {
      toasts.say(words(error), { kind: 'bad' });
    }
    this.busy = '';
    await Promise.all([this.load(), home.load()]);
  }

  private async removeOne(device: Device) {
    this.busy = device.id;
    try {
      await api.removeDevice(device.id);
      toasts.say(S.devices.removed(device.name), { kind: 'good' });
      this.sure = null;
    } catch (e) {
      toasts.say(words(e), { kind: 'bad' });
    }
    this.busy = '';
    await this.load();
  }

  static override styles = [
    look,
    css`
      .two {
        display: grid;
        gap: 20px;
        align-items: start;
        grid-template-columns: minmax(0, 1.25fr) minmax(0, 1fr);
        max-width: 1200px;
      }
      @media (max-width: 1040px) {
        .two {
          grid-template-columns: minmax(0, 1fr);
        }
      }
      ul.card {
        padding: 4px 20px;
      }
      li {
        padding: 16px 0;
        border-top: 1px solid var(--line);
        display: grid;
        gap: 12px;
      }
      li:first-child {
        border: 0;
      }
      b {
        font-size: 0.78rem;
        font-weight: 600;
        padding: 2px 9px;
        margin-left: 4px;
        border-radius: 10px;
        background: var(--accent-soft);
        color: var(--accent-strong);
        white-space: nowrap;
      }
      li > .row > .grow {
        flex-basis: 250px;
      }
      .print {
        color: var(--ink-3);
        margin-top: 5px;
        font-size: 0.8rem;
        max-width: 46ch;
      }
      .sure {
        flex-wrap: wrap;
        align-items: center;
      }
      .sure .grow {
        flex-basis: 260px;
      }
      .safety .icon {
        color: var(--accent);
      }
      form input {
        flex: 1 1 180px;
        min-width: 0;
      }
    `,
  ];
}
