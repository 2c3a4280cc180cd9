// How the common things look: buttons, cards, fields, lists of facts. Elements put this sheet before their own.

import { css } from 'lit';

export const look = css`
  *,
  *::before,
  *::after {
    box-sizing: border-box;
  }
  :host {
    display: block;
  }
  :host([hidden]),
  [hidden] {
    display: none !important;
  }
  h1,
  h2,
  h3,
  p,
  ul,
  ol,
  dl,
  dd,
  figure {
    margin: 0;
    padding: 0;
  }
  ul,
  ol {
    list-style: none;
  }
  h1 {
    font-size: 1.75rem;
    line-height: 1.2;
    letter-spacing: -0.02em;
    font-weight: 650;
  }
  h2 {
    font-size: 1.06rem;
    line-height: 1.35;
    letter-spacing: -0.005em;
    font-weight: 650;
  }
  h3 {
    font-size: 0.93rem;
    font-weight: 650;
  }
  a {
    color: var(--accent);
    text-underline-offset: 3px;
  }
  .soft {
    color: var(--ink-2);
  }
  .small {
    font-size: 0.87rem;
  }
  .mono {
    font-family: var(--mono);
    font-size: 0.86em;
    overflow-wrap: anywhere;
  }
  .icon {
    width: 1.25rem;
    height: 1.25rem;
    flex: none;
    display: block;
  }
  .hidden-but-read {
    position: absolute;
    width: 1px;
    height: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
  :focus-visible {
    outline: 2px solid var(--accent);
    outline-offset: 2px;
    border-radius: 8px;
  }
  .card {
    background: var(--surface);
    border: 1px solid var(--line);
    border-radius: var(--round);
    box-shadow: var(--shadow);
    padding: 20px;
  }
  .stack {
    display: grid;
    gap: 16px;
  }
  .row {
    display: flex;
    align-items: center;
    gap: 10px;
    flex-wrap: wrap;
  }
  .spread {
    justify-content: space-between;
  }
  .grow {
    flex: 1;
    min-width: 0;
  }
  button,
  .button {
    font: inherit;
    font-weight: 550;
    color: var(--ink);
    background: var(--raised);
    border: 1px solid var(--line);
    border-radius: var(--round-s);
    min-height: 40px;
    padding: 0 14px;
    display: inline-flex;
    align-items: center;
    justify-content: center;
    gap: 8px;
    cursor: pointer;
    text-decoration: none;
    transition:
      background-color 0.15s,
      border-color 0.15s,
      color 0.15s;
  }
  button:hover:not(:disabled),
  .button:hover {
    border-color: var(--line-strong);
  }
  button:disabled {
    opacity: 0.55;
    cursor: default;
  }
  .primary {
    background: var(--accent);
    border-color: var(--accent);
    color: var(--on-accent);
  }
  .primary:hover:not(:disabled) {
    background: var(--accent-strong);
    border-color: var(--accent-strong);
  }
  .quiet {
    background: transparent;
    border-color: transparent;
    color: var(--ink-2);
  }
  .quiet:hover:not(:disabled) {
    background: var(--sunken);
    border-color: transparent;
    color: var(--ink);
  }
  .danger {
    color: var(--bad);
  }
  .danger.primary {
    background: var(--bad);
    border-color: var(--bad);
    color: var(--surface);
  }
  .square {
    width: 40px;
    padding: 0;
  }
  button[aria-pressed='true'],
  .chip[aria-pressed='true'] {
    background: var(--accent-soft);
    border-color: var(--accent);
    color: var(--accent-strong);
  }
  .chip {
    min-height: 34px;
    padding: 0 13px;
    border-radius: 999px;
    font-size: 0.9rem;
  }
  .segmented {
    display: inline-flex;
    padding: 3px;
    gap: 2px;
    border-radius: 12px;
    background: var(--sunken);
  }
  .segmented button {
    min-height: 34px;
    border-color: transparent;
    background: transparent;
    color: var(--ink-2);
    border-radius: 9px;
  }
  .segmented button[aria-pressed='true'] {
    background: var(--raised);
    color: var(--accent);
    border-color: var(--line);
    box-shadow: 0 1px 2px rgb(0 0 0 / 8%);
  }
  input,
  select,
  textarea {
    font: inherit;
    color: var(--ink);
    background: var(--ground);
    border: 1px solid var(--line-strong);
    border-radius: var(--round-s);
    min-height: 40px;
    padding: 8px 12px;
    max-width: 100%;
  }
  input:focus-visible,
  select:focus-visible,
  textarea:focus-visible {
    outline-offset: 0;
    border-color: var(--accent);
    border-radius: var(--round-s);
  }
  .note {
    display: flex;
    gap: 10px;
    padding: 12px 14px;
    border-radius: 12px;
    background: var(--wait-soft);
    color: var(--wait);
    font-size: 0.93rem;
  }
  .note.good {
    background: var(--good-soft);
    color: var(--good);
  }
  .note.warn {
    background: var(--warn-soft);
    color: var(--warn);
  }
  .note.bad {
    background: var(--bad-soft);
    color: var(--bad);
  }
  .note > div {
    min-width: 0;
    overflow-wrap: anywhere;
  }
  .facts {
    display: grid;
    grid-template-columns: auto minmax(0, 1fr);
    gap: 9px 18px;
    font-size: 0.92rem;
  }
  .facts dt {
    color: var(--ink-3);
  }
  .facts dd {
    overflow-wrap: anywhere;
  }
  .switch {
    appearance: none;
    width: 44px;
    height: 26px;
    min-height: 26px;
    padding: 0;
    border-radius: 13px;
    border: 1px solid var(--line-strong);
    background: var(--sunken);
    position: relative;
    cursor: pointer;
    flex: none;
    transition:
      background-color 0.15s,
      border-color 0.15s;
  }
  .switch::after {
    content: '';
    position: absolute;
    inset: 3px auto 3px 3px;
    width: 18px;
    border-radius: 50%;
    background: var(--line-strong);
    transition:
      translate 0.15s,
      background-color 0.15s;
  }
  .switch:checked {
    background: var(--accent);
    border-color: var(--accent);
  }
  .switch:checked::after {
    translate: 18px 0;
    background: var(--on-accent);
  }
  .switch:focus-visible {
    border-radius: 13px;
    outline-offset: 2px;
  }
  .head {
    display: flex;
    flex-wrap: wrap;
    align-items: end;
    justify-content: space-between;
    gap: 12px 20px;
    margin-bottom: 22px;
  }
  .head p {
    color: var(--ink-2);
    margin-top: 4px;
  }
  .empty {
    text-align: center;
    padding: 56px 24px;
    display: grid;
    gap: 8px;
    justify-items: center;
    color: var(--ink-2);
  }
  .empty .icon {
    width: 2.4rem;
    height: 2.4rem;
    color: var(--ink-3);
    margin-bottom: 6px;
  }
  .empty h2 {
    color: var(--ink);
  }
  .spin {
    width: 18px;
    height: 18px;
    flex: none;
    border-radius: 50%;
    border: 2px solid currentColor;
    border-right-color: transparent;
    animation: spin 0.9s linear infinite;
  }
  @keyframes spin {
    to {
      rotate: 1turn;
    }
  }
  @media (prefers-reduced-motion: reduce) {
    *,
    *::before,
    *::after {
      transition: none !important;
      animation-duration: 3s !important;
    }
    .spin {
      animation: none;
      border-right-color: currentColor;
      opacity: 0.5;
    }
  }
`;
