// Sets CSS properties of an element through the CSSOM, which the Content-Security-Policy allows; a `style` attribute it does not (and Lit's
// own styleMap writes one).

import { nothing } from 'lit';
import { Directive, directive, type ElementPart } from 'lit/directive.js';

class Lay extends Directive {
  render(_properties: Record<string, string>) {
    return nothing;
  }

  override update(part: ElementPart, [properties]: [Record<string, string>]) {
    const style = (part.element as HTMLElement).style;
    for (const [name, value] of Object.entries(properties)) style.setProperty(name, value);
    return nothing;
  }
}

export const lay = directive(Lay);
