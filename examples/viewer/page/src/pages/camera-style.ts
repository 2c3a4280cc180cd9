// How the page of one camera is laid out: the picture first, what is known of it beside it where there is room.

import { css } from 'lit';

export const cameraStyle = css`
  .title {
    flex-wrap: nowrap;
    min-width: 0;
  }
  .title h1 {
    overflow-wrap: anywhere;
  }
  .head {
    align-items: center;
    margin-bottom: 16px;
  }
  .head .age {
    font-variant-numeric: tabular-nums;
    margin: 0;
  }
  .title .button {
    margin-left: -8px;
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
    background: var(--surface);
    border: 1px solid var(--line);
    border-radius: var(--round);
    box-shadow: var(--shadow);
    overflow: hidden;
  }
  .player live-picture {
    max-height: calc(100dvh - 250px);
    min-height: 180px;
    background: var(--stage);
  }
  .bar {
    padding: 10px 12px;
  }
  .player:fullscreen {
    display: flex;
    flex-direction: column;
    border: 0;
    border-radius: 0;
    background: var(--stage);
  }
  .player:fullscreen live-picture {
    flex: 1;
    min-height: 0;
    max-height: calc(100dvh - 62px);
    display: grid;
    align-items: center;
  }
  .player:fullscreen .bar {
    background: var(--surface);
  }
  .proof {
    padding: 14px 16px;
  }
  .recent {
    margin-bottom: 6px;
  }
  .missed li {
    display: flex;
    gap: 14px;
    padding: 6px 0;
    font-size: 0.92rem;
  }
  .missed span {
    color: var(--ink-3);
    font-variant-numeric: tabular-nums;
  }
  @media (max-width: 560px) {
    .bar {
      gap: 8px;
    }
    .bar button span:not(.spin) {
      position: absolute;
      width: 1px;
      height: 1px;
      overflow: hidden;
      clip-path: inset(50%);
    }
    .bar button {
      position: relative;
      width: 44px;
      padding: 0;
    }
  }
`;
