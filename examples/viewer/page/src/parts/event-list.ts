// Events in their order, under the days they happened on; each with the picture of its clip and what is known of it.

import { LitElement, css, html, nothing, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { repeat } from 'lit/directives/repeat.js';

import type { HomeEvent } from '../api/types.js';
import { knownClip } from '../clips.js';
import { hashOf } from '../route.js';
import { S } from '../strings.js';
import '../timeline/clip-picture.js';
import { clock, day, span } from '../times.js';
import { icon, type IconName } from './icons.js';
import { look } from './look.js';
import './trust-badge.js';

const SIGNS: Record<string, IconName> = {
  motion: 'motion',
  'camera-offline': 'unplugged',
  'camera-online': 'cameras',
  tampered: 'covered',
  'disk-nearly-full': 'disk',
  'relay-nearly-full': 'disk',
  'relay-unreachable': 'relay',
  'relay-back': 'relay',
};

@customElement('event-list')
export class EventList extends LitElement {
  @property({ attribute: false }) events: HomeEvent[] = [];
  @property({ type: Boolean }) compact = false;
  /** Rises when clips were learnt, so that their pictures are drawn. */
  @property({ attribute: false }) round = 0;
  @state() private now = Date.now();

  override willUpdate() {
    this.now = Date.now();
  }

  override render() {
    if (this.events.length === 0) {
      return html`<div class="empty">
        ${this.compact ? nothing : icon('events')}
        ${this.compact ? html`<p>${S.events.none}</p>` : html`<h2>${S.events.none}</h2><p>${S.events.noneWhy}</p>`}
      </div>`;
    }
    const days = new Map<string, HomeEvent[]>();
    for (const event of this.events) {
      const name = day(event.at_ms, this.now);
      days.set(name, [...(days.get(name) ?? []), event]);
    }
    return html`${[...days].map(
      ([name, events]) => html`<section>
        <h3>${name}</h3>
        <ol>
          ${repeat(
            events,
            (event) => event.id,
            (event) => html`<li class=${event.severity}>${this.one(event)}</li>`,
          )}
        </ol>
      </section>`,
    )}`;
  }

  private one(event: HomeEvent): TemplateResult {
    const clip = knownClip(event.clip_id);
    const sign = SIGNS[event.kind] ?? 'info';
    const broken = clip?.trust.state === 'broken';
    const checked = clip?.trust.state === 'verified' ? S.events.clipVerified : broken ? S.events.clipBroken : '';
    const more = [event.body, clip?.finished ? span(clip.duration_ms) : '', checked].filter(Boolean).join(' · ');
    return html`${this.compact
        ? nothing
        : event.clip_id
          ? html`<clip-picture .clip=${clip}></clip-picture>`
          : html`<span class="no-picture">${icon(sign)}</span>`}
      <span class="sign">${icon(sign)}</span>
      <div class="grow">
        <p class="what">
          ${event.clip_id ? html`<a href=${hashOf({ page: 'clip', id: event.clip_id })}>${event.title}</a>` : event.title}
          ${event.severity === 'alarm' ? html`<b>${S.events.alarm}</b>` : nothing}
        </p>
        ${more ? html`<p class="small soft">${more}</p>` : nothing}
      </div>
      <time datetime=${new Date(event.at_ms).toISOString()}>${clock(event.at_ms)}</time>
      ${this.compact
        ? nothing
        : html`<trust-badge
            ?small=${true}
            .trust=${broken ? clip.trust : event.trust}
            .told=${!broken}
            .atMs=${event.at_ms}
          ></trust-badge>`}`;
  }

  static override styles = [
    look,
    css`
      section + section {
        margin-top: 18px;
      }
      h3 {
        color: var(--ink-3);
        font-weight: 600;
        padding: 6px 0;
      }
      li {
        position: relative;
        display: flex;
        align-items: center;
        gap: 14px;
        padding: 10px 0;
        border-top: 1px solid var(--line);
      }
      li:first-child {
        border: 0;
      }
      clip-picture,
      .no-picture {
        width: 104px;
        flex: none;
        border-radius: 10px;
      }
      .no-picture {
        aspect-ratio: 16 / 9;
        display: grid;
        place-items: center;
        background: var(--empty);
        color: var(--ink-3);
      }
      .sign {
        display: none;
        color: var(--ink-3);
      }
      :host([compact]) .sign {
        display: block;
      }
      :host([compact]) li {
        gap: 11px;
        padding: 8px 0;
      }
      .alarm .sign,
      .alarm .no-picture {
        color: var(--bad);
      }
      .alarm .no-picture {
        background: var(--bad-soft);
      }
      .warning .sign,
      .warning .no-picture {
        color: var(--warn);
      }
      .warning .no-picture {
        background: var(--warn-soft);
      }
      .what {
        font-weight: 550;
        overflow-wrap: anywhere;
      }
      a {
        color: inherit;
        text-decoration: none;
      }
      a::after {
        content: '';
        position: absolute;
        inset: 0;
        border-radius: 10px;
      }
      a:hover {
        text-decoration: underline;
      }
      a:focus-visible {
        outline: 0;
      }
      a:focus-visible::after {
        outline: 2px solid var(--accent);
        outline-offset: 2px;
      }
      b {
        font-size: 0.76rem;
        font-weight: 600;
        padding: 2px 8px;
        margin-left: 4px;
        border-radius: 10px;
        background: var(--bad-soft);
        color: var(--bad);
      }
      time {
        color: var(--ink-2);
        font-size: 0.9rem;
        font-variant-numeric: tabular-nums;
      }
      trust-badge {
        position: relative;
      }
      :host([compact]) .empty {
        padding: 20px 0;
      }
      @media (max-width: 560px) {
        clip-picture,
        .no-picture {
          width: 84px;
        }
        li {
          gap: 11px;
        }
      }
    `,
  ];
}
