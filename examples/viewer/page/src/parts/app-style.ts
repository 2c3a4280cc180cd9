// The frame's own style: a column at the left where there is room, bars at top and bottom where there is not.

import { css } from 'lit';

export const frame = css`
  :host {
    min-height: 100dvh;
  }
  .first {
    min-height: 100dvh;
    display: grid;
    place-content: center;
    justify-items: center;
    gap: 16px;
    color: var(--ink-2);
  }
  .first .mark {
    width: 56px;
    color: var(--accent);
  }
  .skip {
    position: fixed;
    left: 12px;
    top: 12px;
    opacity: 0;
    pointer-events: none;
    z-index: 20;
    background: var(--raised);
    padding: 10px 16px;
    border-radius: 10px;
    box-shadow: var(--shadow-high);
  }
  .skip:focus {
    opacity: 1;
    pointer-events: auto;
  }
  header {
    position: fixed;
    inset: 0 auto 0 0;
    width: 232px;
    padding: 22px 14px 16px;
    display: flex;
    flex-direction: column;
    gap: 22px;
    background: var(--surface);
    border-right: 1px solid var(--line);
    z-index: 5;
  }
  .brand {
    display: flex;
    align-items: center;
    gap: 11px;
    padding: 0 8px;
    color: var(--ink);
    text-decoration: none;
    font-weight: 650;
    font-size: 1.08rem;
    letter-spacing: -0.01em;
    min-width: 0;
  }
  .brand span {
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
  }
  .mark {
    width: 30px;
    flex: none;
    color: var(--accent);
  }
  nav {
    display: grid;
    gap: 3px;
    flex: 1;
    align-content: start;
  }
  nav a {
    display: flex;
    align-items: center;
    gap: 12px;
    min-height: 42px;
    padding: 0 12px;
    border-radius: 11px;
    color: var(--ink-2);
    text-decoration: none;
    font-weight: 550;
    position: relative;
  }
  nav a:hover {
    background: var(--sunken);
    color: var(--ink);
  }
  nav a[aria-current] {
    background: var(--accent-soft);
    color: var(--accent-strong);
  }
  nav b {
    margin-left: auto;
    min-width: 20px;
    padding: 0 6px;
    border-radius: 10px;
    background: var(--bad);
    color: var(--surface);
    font-size: 0.78rem;
    line-height: 20px;
    text-align: center;
  }
  .foot {
    display: flex;
    align-items: center;
    justify-content: space-between;
    gap: 6px;
  }
  .link {
    display: flex;
    align-items: center;
    gap: 9px;
    min-height: 36px;
    padding: 0 10px;
    border-radius: 10px;
    color: var(--ink-2);
    font-size: 0.88rem;
    text-decoration: none;
    min-width: 0;
  }
  .link:hover {
    background: var(--sunken);
  }
  .link i {
    width: 9px;
    height: 9px;
    border-radius: 50%;
    flex: none;
    background: var(--warn);
  }
  .link.relay i {
    background: var(--accent);
    box-shadow: 0 0 0 3px var(--accent-soft);
  }
  .link.refused i {
    background: var(--bad);
  }
  .link.offline i {
    background: transparent;
    border: 2px solid var(--warn);
  }
  /* Focused by the program after a change of pages, for screen readers; nobody can do anything with it. */
  main:focus-visible {
    outline: none;
  }
  main {
    margin-left: 232px;
    padding: 34px clamp(20px, 3.2vw, 48px) 64px;
    max-width: 1760px;
  }
  .banner {
    align-items: center;
    margin-bottom: 22px;
  }
  @media (max-width: 860px) {
    header {
      display: contents;
    }
    .brand {
      position: fixed;
      inset: 0 0 auto 0;
      height: 56px;
      padding: 0 16px;
      background: var(--surface);
      border-bottom: 1px solid var(--line);
      z-index: 5;
    }
    .brand span {
      max-width: calc(100vw - 220px);
    }
    .foot {
      position: fixed;
      top: 8px;
      right: 10px;
      z-index: 6;
    }
    nav {
      position: fixed;
      inset: auto 0 0;
      z-index: 5;
      grid-template-columns: repeat(5, 1fr);
      gap: 0;
      background: var(--surface);
      border-top: 1px solid var(--line);
      padding: 6px 4px calc(6px + env(safe-area-inset-bottom));
    }
    nav a {
      flex-direction: column;
      justify-content: center;
      gap: 3px;
      padding: 0 2px;
      min-height: 50px;
      font-size: 0.74rem;
    }
    nav a[aria-current] {
      background: transparent;
      color: var(--accent);
    }
    nav a[aria-current] .icon {
      filter: none;
    }
    nav b {
      position: absolute;
      top: 0;
      left: calc(50% + 6px);
      margin: 0;
    }
    main {
      margin-left: 0;
      padding: 76px 16px 96px;
    }
    .banner {
      flex-wrap: wrap;
    }
    .banner .button {
      width: 100%;
    }
  }
`;
