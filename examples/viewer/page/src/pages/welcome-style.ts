// How the welcome looks: one calm column, the three ways side by side where there is room.

import { css } from 'lit';

export const welcomeStyle = css`
  :host {
    min-height: 100dvh;
    padding: clamp(24px, 6vh, 72px) 20px 48px;
  }
  main {
    max-width: 1020px;
    margin: 0 auto;
    display: grid;
    gap: 20px;
  }
  .brand {
    font-weight: 650;
    font-size: 1.15rem;
    margin-bottom: 8px;
  }
  .mark {
    width: 40px;
    color: var(--accent);
  }
  h1 {
    font-size: clamp(1.8rem, 5vw, 2.5rem);
    max-width: 20ch;
  }
  .lead {
    color: var(--ink-2);
    font-size: 1.06rem;
    max-width: 62ch;
  }
  main > .card {
    max-width: 620px;
    padding: 26px;
  }
  .ways {
    display: grid;
    gap: 16px;
    grid-template-columns: repeat(auto-fit, minmax(min(100%, 280px), 1fr));
    margin-top: 6px;
  }
  .ways section {
    display: grid;
    grid-template-rows: auto auto 1fr;
    gap: 6px;
    align-content: start;
    padding: 22px;
  }
  form {
    display: grid;
    grid-template-rows: 1fr auto;
    gap: 12px;
    margin-top: 8px;
  }
  textarea {
    width: 100%;
    min-height: 92px;
    resize: vertical;
    font-family: var(--mono);
    font-size: 0.88rem;
  }
  .drop {
    position: relative;
    margin-top: 8px;
    min-height: 144px;
    display: grid;
    place-content: center;
    justify-items: center;
    gap: 8px;
    padding: 16px;
    text-align: center;
    border: 1.5px dashed var(--line-strong);
    border-radius: 14px;
    color: var(--ink-2);
    cursor: pointer;
  }
  .drop:hover,
  .drop.over {
    border-color: var(--accent);
    background: var(--accent-soft);
    color: var(--accent-strong);
  }
  .drop:focus-within {
    outline: 2px solid var(--accent);
    outline-offset: 2px;
  }
  .drop input {
    position: absolute;
    inset: 0;
    opacity: 0;
    cursor: pointer;
    width: 100%;
    height: 100%;
  }
  .drop .icon {
    width: 1.8rem;
    height: 1.8rem;
  }
  .promises {
    display: flex;
    flex-wrap: wrap;
    gap: 10px 28px;
    margin-top: 12px;
    color: var(--ink-2);
    font-size: 0.93rem;
  }
  .promises li {
    display: flex;
    gap: 9px;
    align-items: center;
  }
  .promises .icon {
    color: var(--accent);
  }
`;
