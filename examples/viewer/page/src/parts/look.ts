// How the common things look: cards, notes, lists of facts, and what is operated. Elements put this before their own style.

import { css } from 'lit';

import { controls } from './controls.js';

const common = css`
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
    grid-template-columns: minmax(0, 1fr);
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

export const look = [common, controls];
