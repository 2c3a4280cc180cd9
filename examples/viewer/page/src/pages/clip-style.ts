// How the page of a clip is laid out.

import { css } from 'lit';

export const clipStyle = css`
  .title {
    flex-wrap: nowrap;
  }
  .title .button {
    margin-left: -8px;
  }
  .head {
    align-items: center;
  }
  .layout {
    display: grid;
    gap: 20px;
    grid-template-columns: minmax(0, 1fr) 340px;
    align-items: start;
  }
  @media (max-width: 1180px) {
    .layout {
      grid-template-columns: minmax(0, 1fr);
    }
  }
  .player {
    border-radius: var(--round);
    overflow: hidden;
    border: 1px solid var(--line);
    background: var(--surface);
    box-shadow: var(--shadow);
  }
  .stage {
    position: relative;
    background: var(--stage);
    display: grid;
    justify-items: center;
  }
  video {
    width: 100%;
    max-height: calc(100dvh - 300px);
    min-height: 160px;
    display: block;
  }
  video:focus-visible {
    outline-offset: -3px;
    border-radius: 0;
  }
  canvas {
    position: absolute;
    inset: 0;
    margin: auto;
    height: 100%;
    max-width: 100%;
    pointer-events: none;
  }
  .instead {
    min-height: min(56vw, 420px);
    width: 100%;
    display: grid;
    place-content: center;
    justify-items: center;
    gap: 8px;
    padding: 24px;
    text-align: center;
    background: var(--stage);
    color: #e6ece6;
  }
  .instead.bad {
    background: #2c0f0c;
    color: #ffd9d3;
  }
  .instead .icon {
    width: 2.8rem;
    height: 2.8rem;
  }
  .instead strong {
    font-size: 1.1rem;
  }
  .instead p {
    max-width: 52ch;
    opacity: 0.88;
    overflow-wrap: anywhere;
  }
  .strip {
    padding: 12px 16px 14px;
    display: grid;
    gap: 12px;
  }
  .track {
    position: relative;
    height: 6px;
    margin: 6px 6px 2px;
    border-radius: 3px;
    background: var(--sunken);
  }
  .peak {
    position: absolute;
    top: -9px;
    margin-left: -12px;
    width: 24px;
    height: 24px;
    min-height: 0;
    padding: 0;
    border: 0;
    background: transparent;
  }
  .peak::after {
    content: '';
    width: 12px;
    height: 12px;
    border-radius: 3px;
    rotate: 45deg;
    background: var(--warn);
    border: 2px solid var(--surface);
    box-sizing: content-box;
  }
`;
