// How what is operated looks: buttons, chips, switches, fields.

import { css } from 'lit';

export const controls = css`
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
    /* A wide font on a narrow phone: the words go below each other. */
    flex-wrap: wrap;
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
    max-width: 100%;
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
`;
