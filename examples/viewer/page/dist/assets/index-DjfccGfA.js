/**
 * @license
 * Copyright 2019 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */const Je=globalThis,Pt=Je.ShadowRoot&&(Je.ShadyCSS===void 0||Je.ShadyCSS.nativeShadow)&&"adoptedStyleSheets"in Document.prototype&&"replace"in CSSStyleSheet.prototype,At=Symbol(),Ft=new WeakMap;let As=class{constructor(t,s,i){if(this._$cssResult$=!0,i!==At)throw Error("CSSResult is not constructable. Use `unsafeCSS` or `css` instead.");this.cssText=t,this.t=s}get styleSheet(){let t=this.o;const s=this.t;if(Pt&&t===void 0){const i=s!==void 0&&s.length===1;i&&(t=Ft.get(s)),t===void 0&&((this.o=t=new CSSStyleSheet).replaceSync(this.cssText),i&&Ft.set(s,t))}return t}toString(){return this.cssText}};const oi=e=>new As(typeof e=="string"?e:e+"",void 0,At),A=(e,...t)=>{const s=e.length===1?e[0]:t.reduce((i,n,a)=>i+(o=>{if(o._$cssResult$===!0)return o.cssText;if(typeof o=="number")return o;throw Error("Value passed to 'css' function must be a 'css' function result: "+o+". Use 'unsafeCSS' to pass non-literal values, but take care to ensure page security.")})(n)+e[a+1],e[0]);return new As(s,e,At)},li=(e,t)=>{if(Pt)e.adoptedStyleSheets=t.map(s=>s instanceof CSSStyleSheet?s:s.styleSheet);else for(const s of t){const i=document.createElement("style"),n=Je.litNonce;n!==void 0&&i.setAttribute("nonce",n),i.textContent=s.cssText,e.appendChild(i)}},Gt=Pt?e=>e:e=>e instanceof CSSStyleSheet?(t=>{let s="";for(const i of t.cssRules)s+=i.cssText;return oi(s)})(e):e;/**
 * @license
 * Copyright 2017 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */const{is:ci,defineProperty:di,getOwnPropertyDescriptor:hi,getOwnPropertyNames:pi,getOwnPropertySymbols:ui,getPrototypeOf:fi}=Object,lt=globalThis,Kt=lt.trustedTypes,mi=Kt?Kt.emptyScript:"",gi=lt.reactiveElementPolyfillSupport,De=(e,t)=>e,Qe={toAttribute(e,t){switch(t){case Boolean:e=e?mi:null;break;case Object:case Array:e=e==null?e:JSON.stringify(e)}return e},fromAttribute(e,t){let s=e;switch(t){case Boolean:s=e!==null;break;case Number:s=e===null?null:Number(e);break;case Object:case Array:try{s=JSON.parse(e)}catch{s=null}}return s}},Et=(e,t)=>!ci(e,t),Yt={attribute:!0,type:String,converter:Qe,reflect:!1,useDefault:!1,hasChanged:Et};Symbol.metadata??=Symbol("metadata"),lt.litPropertyMetadata??=new WeakMap;let xe=class extends HTMLElement{static addInitializer(t){this._$Ei(),(this.l??=[]).push(t)}static get observedAttributes(){return this.finalize(),this._$Eh&&[...this._$Eh.keys()]}static createProperty(t,s=Yt){if(s.state&&(s.attribute=!1),this._$Ei(),this.prototype.hasOwnProperty(t)&&((s=Object.create(s)).wrapped=!0),this.elementProperties.set(t,s),!s.noAccessor){const i=Symbol(),n=this.getPropertyDescriptor(t,i,s);n!==void 0&&di(this.prototype,t,n)}}static getPropertyDescriptor(t,s,i){const{get:n,set:a}=hi(this.prototype,t)??{get(){return this[s]},set(o){this[s]=o}};return{get:n,set(o){const d=n?.call(this);a?.call(this,o),this.requestUpdate(t,d,i)},configurable:!0,enumerable:!0}}static getPropertyOptions(t){return this.elementProperties.get(t)??Yt}static _$Ei(){if(this.hasOwnProperty(De("elementProperties")))return;const t=fi(this);t.finalize(),t.l!==void 0&&(this.l=[...t.l]),this.elementProperties=new Map(t.elementProperties)}static finalize(){if(this.hasOwnProperty(De("finalized")))return;if(this.finalized=!0,this._$Ei(),this.hasOwnProperty(De("properties"))){const s=this.properties,i=[...pi(s),...ui(s)];for(const n of i)this.createProperty(n,s[n])}const t=this[Symbol.metadata];if(t!==null){const s=litPropertyMetadata.get(t);if(s!==void 0)for(const[i,n]of s)this.elementProperties.set(i,n)}this._$Eh=new Map;for(const[s,i]of this.elementProperties){const n=this._$Eu(s,i);n!==void 0&&this._$Eh.set(n,s)}this.elementStyles=this.finalizeStyles(this.styles)}static finalizeStyles(t){const s=[];if(Array.isArray(t)){const i=new Set(t.flat(1/0).reverse());for(const n of i)s.unshift(Gt(n))}else t!==void 0&&s.push(Gt(t));return s}static _$Eu(t,s){const i=s.attribute;return i===!1?void 0:typeof i=="string"?i:typeof t=="string"?t.toLowerCase():void 0}constructor(){super(),this._$Ep=void 0,this.isUpdatePending=!1,this.hasUpdated=!1,this._$Em=null,this._$Ev()}_$Ev(){this._$ES=new Promise(t=>this.enableUpdating=t),this._$AL=new Map,this._$E_(),this.requestUpdate(),this.constructor.l?.forEach(t=>t(this))}addController(t){(this._$EO??=new Set).add(t),this.renderRoot!==void 0&&this.isConnected&&t.hostConnected?.()}removeController(t){this._$EO?.delete(t)}_$E_(){const t=new Map,s=this.constructor.elementProperties;for(const i of s.keys())this.hasOwnProperty(i)&&(t.set(i,this[i]),delete this[i]);t.size>0&&(this._$Ep=t)}createRenderRoot(){const t=this.shadowRoot??this.attachShadow(this.constructor.shadowRootOptions);return li(t,this.constructor.elementStyles),t}connectedCallback(){this.renderRoot??=this.createRenderRoot(),this.enableUpdating(!0),this._$EO?.forEach(t=>t.hostConnected?.())}enableUpdating(t){}disconnectedCallback(){this._$EO?.forEach(t=>t.hostDisconnected?.())}attributeChangedCallback(t,s,i){this._$AK(t,i)}_$ET(t,s){const i=this.constructor.elementProperties.get(t),n=this.constructor._$Eu(t,i);if(n!==void 0&&i.reflect===!0){const a=(i.converter?.toAttribute!==void 0?i.converter:Qe).toAttribute(s,i.type);this._$Em=t,a==null?this.removeAttribute(n):this.setAttribute(n,a),this._$Em=null}}_$AK(t,s){const i=this.constructor,n=i._$Eh.get(t);if(n!==void 0&&this._$Em!==n){const a=i.getPropertyOptions(n),o=typeof a.converter=="function"?{fromAttribute:a.converter}:a.converter?.fromAttribute!==void 0?a.converter:Qe;this._$Em=n;const d=o.fromAttribute(s,a.type);this[n]=d??this._$Ej?.get(n)??d,this._$Em=null}}requestUpdate(t,s,i,n=!1,a){if(t!==void 0){const o=this.constructor;if(n===!1&&(a=this[t]),i??=o.getPropertyOptions(t),!((i.hasChanged??Et)(a,s)||i.useDefault&&i.reflect&&a===this._$Ej?.get(t)&&!this.hasAttribute(o._$Eu(t,i))))return;this.C(t,s,i)}this.isUpdatePending===!1&&(this._$ES=this._$EP())}C(t,s,{useDefault:i,reflect:n,wrapped:a},o){i&&!(this._$Ej??=new Map).has(t)&&(this._$Ej.set(t,o??s??this[t]),a!==!0||o!==void 0)||(this._$AL.has(t)||(this.hasUpdated||i||(s=void 0),this._$AL.set(t,s)),n===!0&&this._$Em!==t&&(this._$Eq??=new Set).add(t))}async _$EP(){this.isUpdatePending=!0;try{await this._$ES}catch(s){Promise.reject(s)}const t=this.scheduleUpdate();return t!=null&&await t,!this.isUpdatePending}scheduleUpdate(){return this.performUpdate()}performUpdate(){if(!this.isUpdatePending)return;if(!this.hasUpdated){if(this.renderRoot??=this.createRenderRoot(),this._$Ep){for(const[n,a]of this._$Ep)this[n]=a;this._$Ep=void 0}const i=this.constructor.elementProperties;if(i.size>0)for(const[n,a]of i){const{wrapped:o}=a,d=this[n];o!==!0||this._$AL.has(n)||d===void 0||this.C(n,void 0,a,d)}}let t=!1;const s=this._$AL;try{t=this.shouldUpdate(s),t?(this.willUpdate(s),this._$EO?.forEach(i=>i.hostUpdate?.()),this.update(s)):this._$EM()}catch(i){throw t=!1,this._$EM(),i}t&&this._$AE(s)}willUpdate(t){}_$AE(t){this._$EO?.forEach(s=>s.hostUpdated?.()),this.hasUpdated||(this.hasUpdated=!0,this.firstUpdated(t)),this.updated(t)}_$EM(){this._$AL=new Map,this.isUpdatePending=!1}get updateComplete(){return this.getUpdateComplete()}getUpdateComplete(){return this._$ES}shouldUpdate(t){return!0}update(t){this._$Eq&&=this._$Eq.forEach(s=>this._$ET(s,this[s])),this._$EM()}updated(t){}firstUpdated(t){}};xe.elementStyles=[],xe.shadowRootOptions={mode:"open"},xe[De("elementProperties")]=new Map,xe[De("finalized")]=new Map,gi?.({ReactiveElement:xe}),(lt.reactiveElementVersions??=[]).push("2.1.2");/**
 * @license
 * Copyright 2017 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */const Ct=globalThis,Jt=e=>e,Ze=Ct.trustedTypes,Xt=Ze?Ze.createPolicy("lit-html",{createHTML:e=>e}):void 0,Es="$lit$",te=`lit$${Math.random().toFixed(9).slice(2)}$`,Cs="?"+te,vi=`<${Cs}>`,me=document,je=()=>me.createComment(""),Le=e=>e===null||typeof e!="object"&&typeof e!="function",Ot=Array.isArray,bi=e=>Ot(e)||typeof e?.[Symbol.iterator]=="function",gt=`[ 	
\f\r]`,Oe=/<(?:(!--|\/[^a-zA-Z])|(\/?[a-zA-Z][^>\s]*)|(\/?$))/g,Qt=/-->/g,Zt=/>/g,pe=RegExp(`>|${gt}(?:([^\\s"'>=/]+)(${gt}*=${gt}*(?:[^ 	
\f\r"'\`<>=]|("|')|))|$)`,"g"),es=/'/g,ts=/"/g,Os=/^(?:script|style|textarea|title)$/i,Ts=e=>(t,...s)=>({_$litType$:e,strings:t,values:s}),l=Ts(1),wi=Ts(2),ge=Symbol.for("lit-noChange"),h=Symbol.for("lit-nothing"),ss=new WeakMap,fe=me.createTreeWalker(me,129);function zs(e,t){if(!Ot(e)||!e.hasOwnProperty("raw"))throw Error("invalid template strings array");return Xt!==void 0?Xt.createHTML(t):t}const $i=(e,t)=>{const s=e.length-1,i=[];let n,a=t===2?"<svg>":t===3?"<math>":"",o=Oe;for(let d=0;d<s;d++){const c=e[d];let f,$,g=-1,_=0;for(;_<c.length&&(o.lastIndex=_,$=o.exec(c),$!==null);)_=o.lastIndex,o===Oe?$[1]==="!--"?o=Qt:$[1]!==void 0?o=Zt:$[2]!==void 0?(Os.test($[2])&&(n=RegExp("</"+$[2],"g")),o=pe):$[3]!==void 0&&(o=pe):o===pe?$[0]===">"?(o=n??Oe,g=-1):$[1]===void 0?g=-2:(g=o.lastIndex-$[2].length,f=$[1],o=$[3]===void 0?pe:$[3]==='"'?ts:es):o===ts||o===es?o=pe:o===Qt||o===Zt?o=Oe:(o=pe,n=void 0);const x=o===pe&&e[d+1].startsWith("/>")?" ":"";a+=o===Oe?c+vi:g>=0?(i.push(f),c.slice(0,g)+Es+c.slice(g)+te+x):c+te+(g===-2?d:x)}return[zs(e,a+(e[s]||"<?>")+(t===2?"</svg>":t===3?"</math>":"")),i]};let $t=class Ds{constructor({strings:t,_$litType$:s},i){let n;this.parts=[];let a=0,o=0;const d=t.length-1,c=this.parts,[f,$]=$i(t,s);if(this.el=Ds.createElement(f,i),fe.currentNode=this.el.content,s===2||s===3){const g=this.el.content.firstChild;g.replaceWith(...g.childNodes)}for(;(n=fe.nextNode())!==null&&c.length<d;){if(n.nodeType===1){if(n.hasAttributes())for(const g of n.getAttributeNames())if(g.endsWith(Es)){const _=$[o++],x=n.getAttribute(g).split(te),T=/([.?@])?(.*)/.exec(_);c.push({type:1,index:a,name:T[2],strings:x,ctor:T[1]==="."?xi:T[1]==="?"?ki:T[1]==="@"?_i:ct}),n.removeAttribute(g)}else g.startsWith(te)&&(c.push({type:6,index:a}),n.removeAttribute(g));if(Os.test(n.tagName)){const g=n.textContent.split(te),_=g.length-1;if(_>0){n.textContent=Ze?Ze.emptyScript:"";for(let x=0;x<_;x++)n.append(g[x],je()),fe.nextNode(),c.push({type:2,index:++a});n.append(g[_],je())}}}else if(n.nodeType===8)if(n.data===Cs)c.push({type:2,index:a});else{let g=-1;for(;(g=n.data.indexOf(te,g+1))!==-1;)c.push({type:7,index:a}),g+=te.length-1}a++}}static createElement(t,s){const i=me.createElement("template");return i.innerHTML=t,i}};function ke(e,t,s=e,i){if(t===ge)return t;let n=i!==void 0?s._$Co?.[i]:s._$Cl;const a=Le(t)?void 0:t._$litDirective$;return n?.constructor!==a&&(n?._$AO?.(!1),a===void 0?n=void 0:(n=new a(e),n._$AT(e,s,i)),i!==void 0?(s._$Co??=[])[i]=n:s._$Cl=n),n!==void 0&&(t=ke(e,n._$AS(e,t.values),n,i)),t}class yi{constructor(t,s){this._$AV=[],this._$AN=void 0,this._$AD=t,this._$AM=s}get parentNode(){return this._$AM.parentNode}get _$AU(){return this._$AM._$AU}u(t){const{el:{content:s},parts:i}=this._$AD,n=(t?.creationScope??me).importNode(s,!0);fe.currentNode=n;let a=fe.nextNode(),o=0,d=0,c=i[0];for(;c!==void 0;){if(o===c.index){let f;c.type===2?f=new Pe(a,a.nextSibling,this,t):c.type===1?f=new c.ctor(a,c.name,c.strings,this,t):c.type===6&&(f=new Mi(a,this,t)),this._$AV.push(f),c=i[++d]}o!==c?.index&&(a=fe.nextNode(),o++)}return fe.currentNode=me,n}p(t){let s=0;for(const i of this._$AV)i!==void 0&&(i.strings!==void 0?(i._$AI(t,i,s),s+=i.strings.length-2):i._$AI(t[s])),s++}}class Pe{get _$AU(){return this._$AM?._$AU??this._$Cv}constructor(t,s,i,n){this.type=2,this._$AH=h,this._$AN=void 0,this._$AA=t,this._$AB=s,this._$AM=i,this.options=n,this._$Cv=n?.isConnected??!0}get parentNode(){let t=this._$AA.parentNode;const s=this._$AM;return s!==void 0&&t?.nodeType===11&&(t=s.parentNode),t}get startNode(){return this._$AA}get endNode(){return this._$AB}_$AI(t,s=this){t=ke(this,t,s),Le(t)?t===h||t==null||t===""?(this._$AH!==h&&this._$AR(),this._$AH=h):t!==this._$AH&&t!==ge&&this._(t):t._$litType$!==void 0?this.$(t):t.nodeType!==void 0?this.T(t):bi(t)?this.k(t):this._(t)}O(t){return this._$AA.parentNode.insertBefore(t,this._$AB)}T(t){this._$AH!==t&&(this._$AR(),this._$AH=this.O(t))}_(t){this._$AH!==h&&Le(this._$AH)?this._$AA.nextSibling.data=t:this.T(me.createTextNode(t)),this._$AH=t}$(t){const{values:s,_$litType$:i}=t,n=typeof i=="number"?this._$AC(t):(i.el===void 0&&(i.el=$t.createElement(zs(i.h,i.h[0]),this.options)),i);if(this._$AH?._$AD===n)this._$AH.p(s);else{const a=new yi(n,this),o=a.u(this.options);a.p(s),this.T(o),this._$AH=a}}_$AC(t){let s=ss.get(t.strings);return s===void 0&&ss.set(t.strings,s=new $t(t)),s}k(t){Ot(this._$AH)||(this._$AH=[],this._$AR());const s=this._$AH;let i,n=0;for(const a of t)n===s.length?s.push(i=new Pe(this.O(je()),this.O(je()),this,this.options)):i=s[n],i._$AI(a),n++;n<s.length&&(this._$AR(i&&i._$AB.nextSibling,n),s.length=n)}_$AR(t=this._$AA.nextSibling,s){for(this._$AP?.(!1,!0,s);t!==this._$AB;){const i=Jt(t).nextSibling;Jt(t).remove(),t=i}}setConnected(t){this._$AM===void 0&&(this._$Cv=t,this._$AP?.(t))}}class ct{get tagName(){return this.element.tagName}get _$AU(){return this._$AM._$AU}constructor(t,s,i,n,a){this.type=1,this._$AH=h,this._$AN=void 0,this.element=t,this.name=s,this._$AM=n,this.options=a,i.length>2||i[0]!==""||i[1]!==""?(this._$AH=Array(i.length-1).fill(new String),this.strings=i):this._$AH=h}_$AI(t,s=this,i,n){const a=this.strings;let o=!1;if(a===void 0)t=ke(this,t,s,0),o=!Le(t)||t!==this._$AH&&t!==ge,o&&(this._$AH=t);else{const d=t;let c,f;for(t=a[0],c=0;c<a.length-1;c++)f=ke(this,d[i+c],s,c),f===ge&&(f=this._$AH[c]),o||=!Le(f)||f!==this._$AH[c],f===h?t=h:t!==h&&(t+=(f??"")+a[c+1]),this._$AH[c]=f}o&&!n&&this.j(t)}j(t){t===h?this.element.removeAttribute(this.name):this.element.setAttribute(this.name,t??"")}}class xi extends ct{constructor(){super(...arguments),this.type=3}j(t){this.element[this.name]=t===h?void 0:t}}class ki extends ct{constructor(){super(...arguments),this.type=4}j(t){this.element.toggleAttribute(this.name,!!t&&t!==h)}}class _i extends ct{constructor(t,s,i,n,a){super(t,s,i,n,a),this.type=5}_$AI(t,s=this){if((t=ke(this,t,s,0)??h)===ge)return;const i=this._$AH,n=t===h&&i!==h||t.capture!==i.capture||t.once!==i.once||t.passive!==i.passive,a=t!==h&&(i===h||n);n&&this.element.removeEventListener(this.name,this,i),a&&this.element.addEventListener(this.name,this,t),this._$AH=t}handleEvent(t){typeof this._$AH=="function"?this._$AH.call(this.options?.host??this.element,t):this._$AH.handleEvent(t)}}class Mi{constructor(t,s,i){this.element=t,this.type=6,this._$AN=void 0,this._$AM=s,this.options=i}get _$AU(){return this._$AM._$AU}_$AI(t){ke(this,t)}}const Si={I:Pe},Pi=Ct.litHtmlPolyfillSupport;Pi?.($t,Pe),(Ct.litHtmlVersions??=[]).push("3.3.3");const Ai=(e,t,s)=>{const i=s?.renderBefore??t;let n=i._$litPart$;if(n===void 0){const a=s?.renderBefore??null;i._$litPart$=n=new Pe(t.insertBefore(je(),a),a,void 0,s??{})}return n._$AI(e),n};/**
 * @license
 * Copyright 2017 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */const Tt=globalThis;let S=class extends xe{constructor(){super(...arguments),this.renderOptions={host:this},this._$Do=void 0}createRenderRoot(){const t=super.createRenderRoot();return this.renderOptions.renderBefore??=t.firstChild,t}update(t){const s=this.render();this.hasUpdated||(this.renderOptions.isConnected=this.isConnected),super.update(t),this._$Do=Ai(s,this.renderRoot,this.renderOptions)}connectedCallback(){super.connectedCallback(),this._$Do?.setConnected(!0)}disconnectedCallback(){super.disconnectedCallback(),this._$Do?.setConnected(!1)}render(){return ge}};S._$litElement$=!0,S.finalized=!0,Tt.litElementHydrateSupport?.({LitElement:S});const Ei=Tt.litElementPolyfillSupport;Ei?.({LitElement:S});(Tt.litElementVersions??=[]).push("4.2.2");/**
 * @license
 * Copyright 2017 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */const E=e=>(t,s)=>{s!==void 0?s.addInitializer(()=>{customElements.define(e,t)}):customElements.define(e,t)};/**
 * @license
 * Copyright 2017 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */const Ci={attribute:!0,type:String,converter:Qe,reflect:!1,hasChanged:Et},Oi=(e=Ci,t,s)=>{const{kind:i,metadata:n}=s;let a=globalThis.litPropertyMetadata.get(n);if(a===void 0&&globalThis.litPropertyMetadata.set(n,a=new Map),i==="setter"&&((e=Object.create(e)).wrapped=!0),a.set(s.name,e),i==="accessor"){const{name:o}=s;return{set(d){const c=t.get.call(this);t.set.call(this,d),this.requestUpdate(o,c,e,!0,d)},init(d){return d!==void 0&&this.C(o,void 0,e,d),d}}}if(i==="setter"){const{name:o}=s;return function(d){const c=this[o];t.call(this,d),this.requestUpdate(o,c,e,!0,d)}}throw Error("Unsupported decorator location: "+i)};function y(e){return(t,s)=>typeof s=="object"?Oi(e,t,s):((i,n,a)=>{const o=n.hasOwnProperty(a);return n.constructor.createProperty(a,i),o?Object.getOwnPropertyDescriptor(n,a):void 0})(e,t,s)}/**
 * @license
 * Copyright 2017 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */function m(e){return y({...e,state:!0,attribute:!1})}/**
 * @license
 * Copyright 2017 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */const Ti=(e,t,s)=>(s.configurable=!0,s.enumerable=!0,Reflect.decorate&&typeof t!="object"&&Object.defineProperty(e,t,s),s);/**
 * @license
 * Copyright 2017 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */function W(e,t){return(s,i,n)=>{const a=o=>o.renderRoot?.querySelector(e)??null;return Ti(s,i,{get(){return a(this)}})}}class zt extends Error{}const we=(e,t)=>{throw new zt(`the server's answer: ${e||"it"} is no ${t}`)},p=(e,t)=>typeof e=="string"?e:we(t,"text"),v=(e,t)=>typeof e=="number"&&Number.isFinite(e)?e:we(t,"number"),D=(e,t)=>typeof e=="boolean"?e:we(t,"yes or no"),$e=e=>e,P=(...e)=>(t,s)=>e.find(i=>i===t)??we(s,e.join(", ")),z=e=>(t,s)=>t==null?null:e(t,s),R=e=>(t,s)=>Array.isArray(t)?t.map((i,n)=>e(i,`${s}[${n}]`)):we(s,"list"),w=e=>(t,s)=>{if(typeof t!="object"||t===null||Array.isArray(t))return we(s,"object");const i=t,n={};for(const[a,o]of Object.entries(e))n[a]=o(i[a],s?`${s}.${a}`:a);return n},Dt=(e,t)=>(s,i)=>{const n=typeof s=="object"&&s!==null?s[e]:void 0,a=typeof n=="string"?t[n]:void 0;return a?a(s,i):we(i?`${i}.${e}`:e,Object.keys(t).join(", "))},Fe=Dt("state",{verified:w({state:P("verified"),signer:p,lease_until_ms:z(v)}),pending:w({state:P("pending")}),broken:w({state:P("broken"),why:p})}),zi=w({version:p,device_name:p,paired:D,removed:D,hub_name:p,relay:p,link:P("offline","connecting","relay","refused"),link_reason:z(p),caught_up:D,hub_seen_ms:z(v),outbox:v,alerts:R(w({at_ms:v,what:p})),cache_bytes:v,notifications:z(p),safety_number:z(p)}),Di=w({relay:p,hub_fingerprint:p,expires_ms:v}),Ni=w({code:p,relay:p,hub_fingerprint:p,expires_ms:v}),ji=w({safety_number:p}),Li=w({id:p,name:p,online:D,width:v,height:v,codec:p,signer:p}),Ri=w({id:p,name:p,this_device:D,added_ms:v,last_seen_ms:z(v),fingerprint:p}),Ns=w({id:p,kind:p,severity:p,title:p,body:p,camera_id:z(p),camera:p,clip_id:z(p),zones:R(p),at_ms:v,trust:Fe}),Ui=w({events:R(Ns),next:z(p)}),Ii=w({heat:R(v),peak_ms:v,zones:R(p),pinned:D,thumbnail:D}),js=w({id:p,camera_id:p,start_ms:v,duration_ms:v,bytes:v,first_segment:v,finished:D,local:D,trust:Fe,notes:z(Ii)}),Hi=w({clips:R(js),next:z(p)}),Wi=w({from_ms:v,until_ms:v,reason:P("hub-off","camera-lost","damaged","storage-full","not-recorded")}),qi=w({ok:D,signer:p,signer_known:D,chain:R(p),segments:v,first_segment:v,frames_checked:v,gaps:R(Wi),clock_set_back:v,time_claim_ms:v,time_end_ms:v,problems:R(p)}),Bi=w({days:v,from_min:v,to_min:v}),Vi=w({camera_id:p,notify:D,snooze_until_ms:z(v),cooldown_s:v,zones:R(p),health:D}),is=w({cameras:R(Vi),away_only:D,quiet:R(Bi),time_zone:p,profile:z(P("home","away"))}),Fi=w({kept:is,known:D,pending:z(is)});class F extends Error{constructor(t,s,i,n){super(t),this.kind=s,this.status=i,this.retryAfterMs=n}}class dt extends Error{}const M={state:()=>N("GET","/api/state",zi,{patienceMs:1e4}),offer:async e=>({code:e,...await N("POST","/api/offer",Di,{json:{code:e}})}),offerPicture:e=>N("POST","/api/offer/picture",Ni,{body:e}),pair:e=>N("POST","/api/pair",ji,{json:{code:e}}),cameras:()=>N("GET","/api/cameras",R(Li)),devices:()=>N("GET","/api/devices",R(Ri)),renameDevice:(e,t)=>N("POST",`/api/devices/${encodeURIComponent(e)}/rename`,$e,{json:{name:t}}),removeDevice:e=>N("POST",`/api/devices/${encodeURIComponent(e)}/remove`,$e,{json:{}}),events:e=>N("GET",`/api/events${ns(e)}`,Ui),clips:e=>N("GET",`/api/clips${ns(e)}`,Hi),clip:e=>N("GET",`/api/clips/${encodeURIComponent(e)}`,js),thumbnail:e=>Yi(e),report:e=>N("GET",Re(e,"report"),qi),pin:(e,t)=>N("POST",Re(e,"pin"),$e,{json:{pinned:t}}),settings:()=>N("GET","/api/settings",Fi),putSettings:e=>N("PUT","/api/settings",$e,{json:e}),snooze:(e,t)=>N("POST","/api/snooze",$e,{json:{camera_id:e,until_ms:t}}),profile:e=>N("POST","/api/profile",$e,{json:{profile:e}}),whyNoVideo:e=>Ji(e)},Ls=e=>Re(e,"video.mp4"),Gi=e=>Re(e,"export.mp4");function Re(e,t){return`/api/clips/${encodeURIComponent(e)}/${t}`}function ns(e){const t=new URLSearchParams;for(const[s,i]of Object.entries(e))i!==void 0&&t.set(s,String(i));return t.size>0?`?${t}`:""}async function N(e,t,s,i={}){const a=await(await Nt(e,t,i)).text().catch(o=>{throw new dt(String(o))});return s(a===""?null:JSON.parse(a),"")}async function Nt(e,t,s,i={}){const n={method:e,headers:i};s.json!==void 0?(n.body=JSON.stringify(s.json),n.headers={...i,"Content-Type":"application/json"}):s.body&&(n.body=s.body,n.headers={...i,"Content-Type":s.body.type}),s.patienceMs&&(n.signal=AbortSignal.timeout(s.patienceMs));let a;try{a=await fetch(t,n)}catch(o){throw new dt(o instanceof Error?o.message:String(o))}if(!a.ok)throw await Ki(a);return a}async function Ki(e){const t=await e.text().catch(()=>"");try{const i=JSON.parse(t);if(typeof i.error=="string"&&typeof i.class=="string"){const n=typeof i.retry_after_ms=="number"?i.retry_after_ms:null;return new F(i.error,i.class,e.status,n)}}catch{}const s=[401,403,421].includes(e.status)?"forbidden":"other";return new F(t||`${e.status} ${e.statusText}`,s,e.status,null)}async function Yi(e){const t=await Nt("GET",Re(e,"thumbnail"),{}),s=t.headers.get("X-Privet-Trust");return{trust:Fe(s?JSON.parse(s):null,"X-Privet-Trust"),picture:await t.blob()}}async function Ji(e){try{return await(await Nt("GET",Ls(e),{},{Range:"bytes=0-0"})).body?.cancel(),null}catch(t){if(t instanceof F)return t;throw t}}const Rs=200,Xi=2e3,Qi=1e3,Zi=4e3,se=new Map;function Us(e){return e&&se.get(e)||null}function Is(e){for(const t of e)se.delete(t.id),se.set(t.id,t);for(const t of se.keys()){if(se.size<=Zi)break;se.delete(t)}}function as(e){e||se.clear();for(const t of e??[])se.delete(t)}async function rs(e,t,s){const i=[];let n;do{const a=await M.clips({camera:s,from:e,to:t,page:n,limit:Rs});i.push(...a.clips),n=a.next??void 0}while(n!==void 0&&i.length<Xi);return Is(i),{clips:i,more:n!==void 0}}async function en(e,t,s){const i=[];let n;do{const a=await M.events({camera:s,from:e,to:t,page:n,limit:Rs});i.push(...a.events),n=a.next??void 0}while(n!==void 0&&i.length<Qi);return i}async function tn(e){try{const t=await M.clip(e);return Is([t]),t}catch(t){if(t instanceof F&&t.status===404)return null;throw t}}const sn=w({event_id:p,title:p,body:p,severity:p,camera_id:z(p),clip_id:z(p),at_ms:v,stale:D}),nn=Dt("type",{clip_started:w({type:P("clip_started"),clip_id:p,camera_id:p,at_ms:v,trust:Fe}),clip_ready:w({type:P("clip_ready"),clip_id:p,camera_id:p}),clip_notes:w({type:P("clip_notes"),clip_id:p,camera_id:p}),happened:w({type:P("happened"),event:Ns}),clips_forgotten:w({type:P("clips_forgotten"),clip_ids:R(p)}),notification:w({type:P("notification"),notification:sn}),link:w({type:P("link"),state:p,why:z(p)}),camera_state:w({type:P("camera_state"),camera_id:p,online:D}),devices_changed:w({type:P("devices_changed"),what:p}),trust_alert:w({type:P("trust_alert"),what:p}),missed:w({type:P("missed"),count:v}),wishes_changed:w({type:P("wishes_changed")}),cameras_changed:w({type:P("cameras_changed")}),rejoined:w({type:P("rejoined")}),removed:w({type:P("removed")})});class an{#e;constructor(t,s){this.#e=new WebSocket(`ws://${location.host}/api/happenings`),this.#e.onmessage=({data:i})=>{try{t(nn(JSON.parse(String(i)),""))}catch(n){if(!(n instanceof zt||n instanceof SyntaxError))throw n}},this.#e.onclose=s}stop(){this.#e.onclose=null,this.#e.onmessage=null,this.#e.close()}}const rn=15e3,os=3e3,on=1e3,ln=120;class cn extends EventTarget{constructor(){super(...arguments),this.state=null,this.cameras=[],this.camerasLoaded=!1,this.lost=null,this.failed="",this.#e=null,this.#t=0,this.#n={state:!1,cameras:!1},this.#a=!1}#e;#t;#i;#s;#n;#a;start(){this.load(),setInterval(()=>{!this.lost&&document.visibilityState==="visible"&&this.#o("state")},rn),document.addEventListener("visibilitychange",()=>{document.visibilityState==="visible"&&this.load()})}camera(t){return this.cameras.find(s=>s.id===t)}get usable(){return!this.lost&&this.state!==null&&this.state.paired&&!this.state.removed}async load(){if(!this.#a){this.#a=!0,clearTimeout(this.#s);try{const t=await M.state(),s=t.paired&&!t.removed?await M.cameras():[];this.state=t,this.cameras=s,this.camerasLoaded=!0,this.lost=null,this.failed="",this.#e||(this.#t=Date.now(),this.#e=new an(i=>this.#d(i),()=>this.#h()))}catch(t){this.#r(t)}this.#a=!1,this.#l()}}#r(t){t instanceof dt?this.lost={why:"gone",said:""}:t instanceof F&&t.kind==="forbidden"?this.lost={why:"stranger",said:t.message}:this.failed=t instanceof Error?t.message:String(t),this.lost&&(this.#e?.stop(),this.#e=null),this.lost?.why!=="stranger"&&(this.#s=setTimeout(()=>void this.load(),os))}#h(){this.#e=null;const t=Date.now()-this.#t<on;clearTimeout(this.#s),this.#s=setTimeout(()=>void this.load(),t?os:0)}#d(t){switch(t.type){case"removed":this.state&&(this.state={...this.state,removed:!0}),this.cameras=[],this.#l(),this.#o("state");break;case"camera_state":this.cameras=this.cameras.map(s=>s.id===t.camera_id?{...s,online:t.online}:s),this.#l();break;case"cameras_changed":this.#o("cameras");break;case"rejoined":case"missed":this.#o("state","cameras");break;case"link":case"trust_alert":case"devices_changed":this.#o("state");break}this.dispatchEvent(new CustomEvent("happening",{detail:t}))}#o(...t){for(const s of t)this.#n[s]=!0;this.#i??=setTimeout(()=>void this.#c(),ln)}async#c(){this.#i=void 0;const t=this.#n;this.#n={state:!1,cameras:!1};try{t.state&&(this.state=await M.state()),t.cameras&&this.usable&&(this.cameras=await M.cameras()),this.failed=""}catch(s){this.#r(s)}this.#l()}#l(){this.dispatchEvent(new Event("change"))}}const b=new cn;class Z{constructor(t,s){this.host=t,this.happened=s,t.addController(this)}hostConnected(){b.addEventListener("change",this.#e),b.addEventListener("happening",this.#t)}hostDisconnected(){b.removeEventListener("change",this.#e),b.removeEventListener("happening",this.#t)}#e=()=>this.host.requestUpdate();#t=t=>this.happened?.(t.detail)}function j(e){return e instanceof Error?e.message:String(e)}const dn=7e3,O=new class extends EventTarget{constructor(){super(...arguments),this.list=[],this.#e=1}#e;say(e,t={}){const s={id:this.#e,title:e,body:"",kind:"plain",href:null,...t};this.#e+=1,this.list=[...this.list,s].slice(-4),this.dispatchEvent(new Event("change")),setTimeout(()=>this.drop(s.id),dn)}drop(e){this.list=this.list.filter(t=>t.id!==e),this.dispatchEvent(new Event("change"))}};function hn(e){const t=e.clip_id?`#/clip/${e.clip_id}`:"#/events",s=e.severity==="alarm"?"bad":e.severity==="warning"?"warn":"plain";if(O.say(e.title,{body:e.body,kind:s,href:t}),e.stale||document.visibilityState==="visible"||!pn())return;const i=new Notification(e.title,{body:e.body,tag:e.event_id});i.onclick=()=>{window.focus(),location.hash=t,i.close()}}function Hs(){return typeof Notification=="function"?Notification.permission:"none"}function pn(){return Hs()==="granted"}const un=["cameras","events","devices","settings","health"];function ls(e){const[t="",s=""]=e.replace(/^#\/?/,"").split("/");if((t==="camera"||t==="clip")&&s)try{return{page:t,id:decodeURIComponent(s)}}catch{return{page:"cameras"}}return{page:un.find(n=>n===t)??"cameras"}}function Ue(e){return"id"in e?`#/${e.page}/${encodeURIComponent(e.id)}`:`#/${e.page}`}const ye=(e,t,s)=>`${e.toLocaleString("en-GB")} ${e===1?t:s}`,r={name:"Privet",tryAgain:"Try again",cancel:"Cancel",close:"Close",more:"Show more",loading:"Loading …",skip:"Skip to content",nav:"Pages",titles:{cameras:"Cameras",camera:"Camera",events:"Events",clip:"Clip",devices:"Devices",settings:"Settings",health:"Health",welcome:"Welcome"},theme:{label:"Appearance",system:"As the system",light:"Light",dark:"Dark",toDark:"Go dark",toLight:"Go light"},link:{offline:"Offline",connecting:"Connecting",relay:"Connected",refused:"Refused by the relay",label:"Connection to the home"},lost:{gone:"Nothing answers any more",goneWhy:"This page is a window onto the program privet-viewer on this computer, and that has ended or does not answer. No pictures are kept in the browser.",goneDo:"Start it again with “privet-viewer serve” and open the address that it prints. This page looks again by itself every few seconds.",stranger:"This browser is not let in",strangerWhy:"The address that privet-viewer prints lets in one browser, once. It was used already, or the program was started anew.",strangerDo:"Start “privet-viewer serve” again and open the address that it prints.",said:"It said:"},removed:{title:"This device was removed from the home",why:"Its keys are wiped: no pictures, clips or events can be opened here any more, and nothing new comes.",what:"If that is a mistake, pair this device again with a new code from the hub. If you did not expect it, ask whoever looks after the hub.",again:"Pair again"},trust:{verified:"Verified",pending:"Not checked yet",live:"Being checked",told:"Told by the hub",broken:"Broken",explain:"What this means",titles:{verified:"These are the camera’s own pictures",pending:"Nobody checked this yet",live:"The check is under way",told:"Told by the hub, not signed by the camera",broken:"This is not what the camera signed"},texts:{verified:"Every byte was compared here, on this device, with what the camera’s evidence key signed. Nothing was changed, left out or added.",pending:"The clip is sealed by your home and could not be read on the way. Its signature is checked when it is played or when you press “Check every byte”.",live:"Pictures are sealed by your home. The camera signs them in segments of a few seconds, and a segment’s signature comes with its end: the picture on the screen belongs to one that is not finished.",told:"The hub says so in the home’s own authenticated log, so nobody on the way made it up. It is not part of what the camera signs. A clip’s own badge says what its pictures prove.",broken:"The signature does not fit. Pictures were changed, exchanged or left out somewhere between the camera and here, so they are not shown."},signer:"Signed by",lease:"Key vouched for until",noLease:"No notary vouches for this key with an end",why:"What failed",missing:"What is missing",missingLive:"The signature of the segment that is on the screen now.",missingPending:"Some or all of its segments were not fetched and checked yet.",lastVerdict:"Last verdict",verdictVerified:(e,t)=>`Frames ${e} to ${t}: verified`,verdictBroken:"A segment did not verify",noVerdict:"None yet; the first comes with the first segment’s end.",frame:"On the screen",frameIs:e=>`Frame ${e}`,when:"When",stoppedWhy:"No picture is shown until a later segment is verified."},gap:{missed:e=>e===0?"No pictures for a while":`Missed ${ye(e,"picture","pictures")}`,reasons:{slow_viewer:"slow viewer",network_loss:"network",new_stream:"the hub began another stream",camera_restart:"the camera was away",failed_verification:"failed verification",slow_page:"this browser was too slow",not_watched:"this page was not looked at",unknown:"reason not told"},title:"Not seen",none:"Nothing was missed since you began to watch."},live:{live:"Live",connecting:"Connecting …",waiting:"Waiting for the first picture …",off:"Paused",offline:"Camera is offline",offlineWhy:"The hub gets no pictures from it.",ended:"The view ended",again:"Beginning again …",broken:"Broken: not shown",unplayable:"This browser cannot play this camera",unplayableWhy:e=>`It sends ${e||"a kind of video that is not known yet"}, which needs another browser or a codec of the system. Its clips can be checked and exported all the same.`,behind:e=>`${e} behind`,frozen:e=>`Last picture ${e}`,picture:e=>`Live picture of ${e}`,substream:"Smaller picture: the link is slow",none:"No cameras yet",noneWhy:"Cameras are added at the hub, in its configuration. They appear here by themselves.",online:"Online",offlineShort:"Offline",lead:(e,t)=>t===0?"":`${e} of ${t} online`,open:e=>`Open ${e}`,sound:"Sound",soundOn:"Listen",soundOff:"Mute",soundWhy:"With sound the picture is a little later: sound comes over the browser’s own player.",noSound:"This camera sends no sound",snapshot:"Picture",snapshotWaits:"Waiting for the verdict …",snapshotSaved:"Saved; its segment is verified",snapshotUnverified:"Saved, marked “not verified yet”: no verdict came in time",snapshotBroken:"Not saved: its segment is broken",snapshotNothing:"There is no picture to save",fullscreen:"Full screen",fullscreenEnd:"Leave full screen",ribbon:"The last minute: what was verified, is being checked, was broken or not seen",ribbonNow:"now",ribbonAgo:"1 min ago",legend:{verified:"verified",pending:"being checked",broken:"broken",gap:"not seen"},facts:"Stream",fact:{size:"Picture",codec:"Codec",path:"Decoded by",latency:"Delay",signer:"Evidence key",checked:"Segments checked",dropped:"Pieces dropped"},paths:{webcodecs:"WebCodecs",mse:"Browser’s player (MSE)"},checked:(e,t)=>t>0?`${e} verified, ${t} broken`:`${e} verified`,recent:"Lately here",all:"All events",back:"All cameras",unknown:"There is no such camera"},snooze:{title:"Snooze",until:e=>`Snoozed until ${e}`,hour:"1 hour",hours:"8 hours",morning:"Until 7:00",off:"Tell me again",choose:e=>`Notifications of ${e}`,done:"Snoozed",ended:"You are told again"},events:{lead:"What moved, what was covered, what went away",none:"Nothing happened yet",noneWhy:"An event is told when a camera sees something move, is covered, or is lost.",allCameras:"All",filter:"Show events of",timeline:"Timeline of clips. Left and right go from clip to clip, up and down between cameras, Enter plays.",day:"24 hours",week:"7 days",range:"How much the timeline shows",hint:"Point, drag or use the arrow keys; Enter plays.",pick:"Choose a clip on the timeline to see what moved.",noClips:"No clips in this time.",recording:"Recording now",play:"Play",heat:"Show where it moved",noThumbnail:"No picture of this clip here",clipAt:(e,t,s)=>`${e}, ${t}, ${s}`,offline:"offline",zones:e=>e.join(", "),clipVerified:"clip verified",clipBroken:"clip broken",alarm:"Alarm",warning:"Warning",tooMany:"Only the newest clips of this time are drawn.",legend:{clip:"clip",pinned:"kept",broken:"broken",offline:"camera offline",event:"event"}},clip:{back:"All events",unknown:"There is no such clip here",unknownWhy:"It may be older than what the home keeps, or not have been told to this device.",broken:"Broken: not shown",brokenWhy:"This clip is not what the camera signed. No picture of it is shown.",cannot:"The clip cannot be played now",recording:"Still being recorded",recordingWhy:"It can be played when it is finished.",heat:"Where it moved",peak:"Most motion",toPeak:"Go to the moment of most motion",partial:"The beginning of this clip is from before this phone joined the home: it was sealed for the members of that time and cannot be opened here.",check:"Check every byte",checkAgain:"Check again",checking:"Fetching and checking every byte …",export:"Export with proof",exportWhy:"An MP4 that anybody can check with “privet-viewer verify”.",pin:"Keep",pinned:"Kept",pinWhy:"The hub keeps it until you let it go.",facts:{camera:"Camera",start:"Began",length:"Length",size:"Size",zones:"Zones",where:"Stored",id:"Clip"},here:"on this device",away:"at the relay, fetched when played",player:"Clip’s film",unplayable:"This browser cannot play this kind of video. The clip can be checked and exported all the same.",report:{title:"What was checked",ok:"Everything holds",bad:"Not everything holds",signer:"Signed by",known:"which is the key of this camera",unknown:"which is not a key that this home vouches for",noSigner:"nobody: no signature was found",time:"Recorded",frames:(e,t)=>`${ye(e,"picture","pictures")} in ${ye(t,"segment","segments")} were compared with their signatures`,chained:e=>`${ye(e,"statement hangs","statements hang")} together without a hole`,gapsNone:"No outages are declared in this time",gap:(e,t,s)=>`No pictures from ${e} to ${t}, as the hub says: ${s}`,gapWhy:{"hub-off":"it was off","camera-lost":"the camera was out of reach",damaged:"what came from the camera was damaged","storage-full":"it had no room","not-recorded":"nothing was to be recorded"},clock:e=>`The hub’s clock was set back ${ye(e,"time","times")}: times do not rise over that`,first:e=>`Begins with segment ${e}: what is before is from before this phone joined`,problems:"What does not hold"}},devices:{lead:"Everybody who can see into this home",this:"This device",added:e=>`Joined ${e}`,seen:e=>`Heard of ${e}`,unseen:"Not heard of yet",rename:"Rename",renameOne:e=>`Rename “${e}”`,renameLabel:e=>`New name of “${e}”`,save:"Save",remove:"Remove",removeOne:e=>`Remove “${e}”`,removeSure:e=>`Remove “${e}”? It can open nothing new from then on; all keys change at once.`,removeDo:"Yes, remove it",removing:"Waiting for the hub …",removed:e=>`“${e}” was removed`,fingerprint:"Fingerprint",safety:"Safety number",safetyWhy:"Made from this device’s key and the hub’s. If the hub shows the same number for this device, nobody stands in between: not the relay, not anybody on the way.",safetyHow:"At the hub, “privet-hub pair” shows it when a device joins. Compare group by group, in person or over a call where you know the voice.",add:"To add a device, run “privet-hub pair” at the hub and show the code to the new device."},settings:{lead:"What this device is told, and when",pending:"Waiting for the hub to confirm. What you chose is kept here and takes effect when the hub has it.",unknown:"The hub has not said yet what it keeps for this device; these are the defaults.",profile:"Somebody at home?",profileWhy:"One answer for all phones of the home.",home:"Home",away:"Away",told:"When to be told",awayOnly:"Tell of motion only while nobody is at home",quiet:"Quiet hours",quietWhy:"No motion is told in these hours. Tampering and lost cameras are.",quietNone:"None: motion is told at any hour.",quietAdd:"Add quiet hours",quietRemove:"Remove these quiet hours",quietFrom:"From",quietTo:"to",quietNext:"next day",quietDays:"Days on which they begin",days:["Mon","Tue","Wed","Thu","Fri","Sat","Sun"],quietNoDay:"Choose at least one day.",zone:"Time zone of the quiet hours",zoneUtc:"UTC",cameras:"Cameras",notify:"Motion",health:"Offline, back, tampered with",cooldown:"Pause after a notification",cooldowns:{0:"none",30:"30 s",60:"1 min",300:"5 min",900:"15 min",3600:"1 h",21600:"6 h",86400:"1 day"},seconds:e=>`${e} s`,zones:"Only motion in these zones",zonesNone:"everywhere",zoneAdd:"Add a zone",zoneRemove:e=>`Remove zone ${e}`,dirty:"Changes that are not saved",save:"Save",discard:"Discard",saving:"Waiting for the hub …",saved:"The hub keeps these settings",browser:"This browser",notifications:"Notifications of this browser",notificationsWhy:"Shown by the system while this page is open in the background.",notificationsAsk:"Allow",notificationsOn:"Allowed",notificationsDenied:"Blocked in the browser’s own settings for this page",notificationsNone:"This browser has none",snoozeAll:"Snooze everything"},health:{lead:"How this device reaches its home",link:"Connection",relay:"Relay",hub:"Hub",hubSeen:"Hub last heard of",never:"not yet",caughtUp:"Up to date",behind:"Catching up",log:"The home’s log",outbox:"Waiting to be sent",outboxNone:"nothing",messages:e=>ye(e,"message","messages"),cache:"Clips kept here, sealed",notifications:"Notifications",notificationsFine:"come",version:"Version",device:"This device",alerts:"What could not be trusted",noAlerts:"Nothing. Every message and every picture was what it should be.",banner:e=>e===1?"Something could not be trusted":`${e} things could not be trusted`,look:"Look at it",new:"new"},pair:{title:"Bring this device into your home",lead:"At the hub, run “privet-hub pair”. It shows a code that is good for ten minutes and for one device.",paste:"Paste the code",pasteWhy:"The text below the QR code; it begins with PRIVET1.",pasteLabel:"Text of the code",read:"Read the code",picture:"Use a picture of it",pictureWhy:"A screenshot or photograph of the QR code, PNG or JPEG.",drop:"Drop a picture here",choose:"choose a file",or:"or",camera:"Photograph it",cameraWhy:"With this computer’s camera. The pictures go to privet-viewer on this computer, nowhere else.",cameraStart:"Turn the camera on",cameraStop:"Turn the camera off",cameraLooks:"Hold the code into the picture …",reading:"Reading …",found:"A code of a home",relay:"Relay",hub:"Hub’s fingerprint",left:e=>`Good for another ${e}`,expired:"This code is no longer good. Let the hub show a new one.",join:"Join this home",joining:"Joining: waiting for the hub …",other:"Another code",done:"You are in",compare:"Now compare the safety number",compareWhy:"The hub shows sixty digits, too. Are they the same?",same:"They are the same",differ:"They differ",differTitle:"Then somebody stands in between",differWhy:"Remove this device at the hub (“privet-hub phones remove”) and pair again, on a network that you trust. Believe no picture until the numbers are the same.",promises:["Pictures are opened on this device only","The relay sees sizes and times, never pictures","Every picture says whether the camera signed it"]}},cs="privet-theme",Ws=matchMedia("(prefers-color-scheme: dark)"),H=new class extends EventTarget{get choice(){const e=et.read(cs);return e==="light"||e==="dark"?e:"system"}get dark(){return this.choice==="dark"||this.choice==="system"&&Ws.matches}choose(e){et.write(cs,e),this.apply()}apply(){document.documentElement.dataset.theme=this.dark?"dark":"light",this.dispatchEvent(new Event("change"))}};Ws.addEventListener("change",()=>H.apply());const et={read(e){try{return localStorage.getItem(e)}catch{return null}},write(e,t){try{localStorage.setItem(e,t)}catch{}}},fn=120;class mn{#e=new Map;get(t){const s=this.#e.get(t);if(s)return this.#e.delete(t),this.#e.set(t,s),s;const i=this.#t(t);if(this.#e.set(t,i),this.#e.size>fn){const n=this.#e.keys().next().value;n!==void 0&&this.forget(n)}return i}forget(t){const s=this.#e.get(t);this.#e.delete(t),s?.then(i=>i&&URL.revokeObjectURL(i.url))}forgetAll(){for(const t of[...this.#e.keys()])this.forget(t)}async#t(t){try{const{picture:s,trust:i}=await M.thumbnail(t);return i.state==="broken"?null:{url:URL.createObjectURL(s),trust:i}}catch(s){return s instanceof F&&s.kind==="not-found"||this.#e.delete(t),null}}}const Xe=new mn,ds="privet-alerts-seen";class gn extends EventTarget{get list(){return[...b.state?.alerts??[]].sort((t,s)=>s.at_ms-t.at_ms)}get newest(){return this.list[0]}get unseen(){return this.list.filter(t=>this.isNew(t)).length}isNew(t){return t.at_ms>Number(et.read(ds)??0)}seen(){const t=this.newest;!t||!this.isNew(t)||(et.write(ds,String(t.at_ms)),this.dispatchEvent(new Event("change")))}}const vn=A`
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
`,bn={cameras:"M3 6.5h12.5v11H3zM15.5 10.5 21 7.5v9l-5.5-3",events:"M12 7v5l3.2 2M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0z",devices:"M4 5h11v9H4zM2.5 17.5H12M16 10h4.5v9.5H16z",settings:"M4 7h9M17 7h3M4 17h3M11 17h9M15 4.8v4.4M9 14.8v4.4",health:"M3 12h4l2.5-6 4 12 2.5-6h5",verified:"M12 3 19.5 6v5.5c0 4.6-3 8-7.5 9.5-4.5-1.5-7.5-4.9-7.5-9.5V6zM8.5 12l2.5 2.5 4.5-5",pending:"M12 3 19.5 6v5.5c0 4.6-3 8-7.5 9.5-4.5-1.5-7.5-4.9-7.5-9.5V6zM8.7 12h.01M12 12h.01M15.3 12h.01",broken:"M12 3 19.5 6v5.5c0 4.6-3 8-7.5 9.5-4.5-1.5-7.5-4.9-7.5-9.5V6zM9.5 9.5l5 5M14.5 9.5l-5 5",sun:"M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM12 3v1.5M12 19.5V21M3 12h1.5M19.5 12H21M5.6 5.6l1.1 1.1M17.3 17.3l1.1 1.1M5.6 18.4l1.1-1.1M17.3 6.7l1.1-1.1",moon:"M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z",sound:"M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM15.5 9a4.2 4.2 0 0 1 0 6M18 6.5a7.8 7.8 0 0 1 0 11",mute:"M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM16 9.5l5 5M21 9.5l-5 5",expand:"M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",shrink:"M9 4v5H4M20 9h-5V4M15 20v-5h5M4 15h5v5",snapshot:"M4 8h3.5L9 5.5h6L16.5 8H20v11H4zM12 16.5a3.2 3.2 0 1 0 0-6.4 3.2 3.2 0 0 0 0 6.4z",snooze:"M6 16.5V11a6 6 0 0 1 9-5.2M18 10.5v6H4.5M10 19.5a2.2 2.2 0 0 0 4 0M16.5 3.5H21l-4.5 5H21",pin:"M9 3.5h6l-.8 6 3.3 3.5H6.5L9.8 9.5zM12 13v7.5",download:"M12 4v11M7.5 11 12 15.5 16.5 11M4.5 19.5h15",heat:"M12 3.5c.5 3.5 5.5 5.5 5.5 10.5a5.5 5.5 0 0 1-11 0c0-2.5 1.3-3.8 2.2-5 .3 1.5 1 2.3 1.8 2.5C10 8.5 10.5 5.5 12 3.5z",back:"M14.5 5.5 8 12l6.5 6.5",next:"M9.5 5.5 16 12l-6.5 6.5",close:"M6 6l12 12M18 6 6 18",warning:"M12 4 21 19.5H3zM12 10v4.5M12 17h.01",info:"M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0zM12 11v5M12 8h.01",check:"M5 12.5l4.5 4.5L19 7.5",plus:"M12 5v14M5 12h14",trash:"M5 7h14M9.5 7V4.5h5V7M7 7l.8 12.5h8.4L17 7",play:"M8 5.5v13l11-6.5z",pencil:"M5 19l.8-3.8L16 5l3 3L8.8 18.2z",key:"M7.5 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM11.5 12H21M20.5 12v3.5M16.5 12v2.5",motion:"M13.5 6a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3zM7.5 11l3.5-3 3 1 1 3 3 1.5M11.5 8.5 10.5 14l3.5 2.5 1 4.5M10.5 14 9 17l-3 2.5",unplugged:"M3 6.5h12.5v11H3zM15.5 10.5 21 7.5v9l-5.5-3M2.5 3l18 18",covered:"M3 12s3.5-6 9-6 9 6 9 6-3.5 6-9 6-9-6-9-6zM4 4l16 16",disk:"M4 5h16v14H4zM4 14h16M16.5 16.5h.01",relay:"M7.5 18.5a4.5 4.5 0 0 1-.5-9 5.5 5.5 0 0 1 10.5 1.5 3.8 3.8 0 0 1-.5 7.5z",home:"M4 11.5 12 4.5l8 7M6.5 9.5V19.5h11V9.5M10 19.5v-5.5h4v5.5",away:"M9 4.5H5v15h4M14 7.5 18.5 12 14 16.5M18 12H9.5",link:"M10 14a4 4 0 0 0 5.7 0l3-3a4 4 0 0 0-5.7-5.7l-1 1M14 10a4 4 0 0 0-5.7 0l-3 3a4 4 0 0 0 5.7 5.7l1-1"};function u(e){return l`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round">${wi`<path d=${bn[e]}></path>`}</svg>`}function tt(){return l`<svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
    <path fill="currentColor" d="M16 1.5c7.5 4.6 12 9.8 12 16 0 6.3-5 10.5-12 13-7-2.5-12-6.7-12-13 0-6.2 4.5-11.4 12-16z"></path>
    <path fill="none" stroke="var(--surface)" stroke-width="1.8" stroke-linecap="round" d="M16 9.5V26M16 16l5-4M16 16l-5-4M16 21.5l5.5-4.3M16 21.5l-5.5-4.3"></path>
  </svg>`}const wn=A`
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
`,$n=A`
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
`,C=[$n,wn];/**
 * @license
 * Copyright 2017 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */const yn={CHILD:2},qs=e=>(...t)=>({_$litDirective$:e,values:t});let Bs=class{constructor(t){}get _$AU(){return this._$AM._$AU}_$AT(t,s,i){this._$Ct=t,this._$AM=s,this._$Ci=i}_$AS(t,s){return this.update(t,s)}update(t,s){return this.render(...s)}};/**
 * @license
 * Copyright 2020 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */const{I:xn}=Si,hs=e=>e,ps=()=>document.createComment(""),Te=(e,t,s)=>{const i=e._$AA.parentNode,n=t===void 0?e._$AB:t._$AA;if(s===void 0){const a=i.insertBefore(ps(),n),o=i.insertBefore(ps(),n);s=new xn(a,o,e,e.options)}else{const a=s._$AB.nextSibling,o=s._$AM,d=o!==e;if(d){let c;s._$AQ?.(e),s._$AM=e,s._$AP!==void 0&&(c=e._$AU)!==o._$AU&&s._$AP(c)}if(a!==n||d){let c=s._$AA;for(;c!==a;){const f=hs(c).nextSibling;hs(i).insertBefore(c,n),c=f}}}return s},ue=(e,t,s=e)=>(e._$AI(t,s),e),kn={},_n=(e,t=kn)=>e._$AH=t,Mn=e=>e._$AH,vt=e=>{e._$AR(),e._$AA.remove()};/**
 * @license
 * Copyright 2017 Google LLC
 * SPDX-License-Identifier: BSD-3-Clause
 */const us=(e,t,s)=>{const i=new Map;for(let n=t;n<=s;n++)i.set(e[n],n);return i},jt=qs(class extends Bs{constructor(e){if(super(e),e.type!==yn.CHILD)throw Error("repeat() can only be used in text expressions")}dt(e,t,s){let i;s===void 0?s=t:t!==void 0&&(i=t);const n=[],a=[];let o=0;for(const d of e)n[o]=i?i(d,o):o,a[o]=s(d,o),o++;return{values:a,keys:n}}render(e,t,s){return this.dt(e,t,s).values}update(e,[t,s,i]){const n=Mn(e),{values:a,keys:o}=this.dt(t,s,i);if(!Array.isArray(n))return this.ut=o,a;const d=this.ut??=[],c=[];let f,$,g=0,_=n.length-1,x=0,T=a.length-1;for(;g<=_&&x<=T;)if(n[g]===null)g++;else if(n[_]===null)_--;else if(d[g]===o[x])c[x]=ue(n[g],a[x]),g++,x++;else if(d[_]===o[T])c[T]=ue(n[_],a[T]),_--,T--;else if(d[g]===o[T])c[T]=ue(n[g],a[T]),Te(e,c[T+1],n[g]),g++,T--;else if(d[_]===o[x])c[x]=ue(n[_],a[x]),Te(e,n[g],n[_]),_--,x++;else if(f===void 0&&(f=us(o,x,T),$=us(d,g,_)),f.has(d[g]))if(f.has(d[_])){const X=$.get(o[x]),mt=X!==void 0?n[X]:null;if(mt===null){const Vt=Te(e,n[g]);ue(Vt,a[x]),c[x]=Vt}else c[x]=ue(mt,a[x]),Te(e,n[g],mt),n[X]=null;x++}else vt(n[_]),_--;else vt(n[g]),g++;for(;x<=T;){const X=Te(e,c[T+1]);ue(X,a[x]),c[x++]=X}for(;g<=_;){const X=n[g++];X!==null&&vt(X)}return this.ut=o,_n(e,c),ge}});class Sn extends Bs{render(t){return h}update(t,[s]){const i=t.element.style;for(const[n,a]of Object.entries(s))i.setProperty(n,a);return h}}const yt=qs(Sn),Ie=1e3,xt=60*Ie,kt=60*xt,He=24*kt,Lt="en-GB";function ae(e,t=!1){const s={hour:"2-digit",minute:"2-digit"};return new Date(e).toLocaleTimeString(Lt,t?{...s,second:"2-digit"}:s)}function V(e,t=!1){return`${new Date(e).toLocaleDateString(Lt,{weekday:"short",day:"numeric",month:"short",year:"numeric"}).replace(",","")}, ${ae(e,t)}`}function Pn(e,t){const s=Math.round((st(t)-st(e))/He);return s===0?"Today":s===1?"Yesterday":new Date(e).toLocaleDateString(Lt,{weekday:"long",day:"numeric",month:"long"}).replace(",","")}function st(e){return new Date(e).setHours(0,0,0,0)}function Rt(e,t){const s=Math.max(0,t-e);if(s<2*Ie)return"now";if(s<xt)return`${Math.floor(s/Ie)} s ago`;if(s<kt)return`${Math.floor(s/xt)} min ago`;if(s<He)return`${Math.floor(s/kt)} h ago`;const i=Math.floor(s/He);return i===1?"1 day ago":`${i} days ago`}function ht(e){const t=Math.round(e/Ie),s=i=>String(i).padStart(2,"0");return t<60?`${t} s`:t<3600?`${Math.floor(t/60)}:${s(t%60)} min`:`${Math.floor(t/3600)}:${s(Math.floor(t/60)%60)}:${s(t%60)} h`}function An(e){const t=Math.max(0,Math.ceil(e/Ie));return`${Math.floor(t/60)}:${String(t%60).padStart(2,"0")}`}function Vs(e){return Math.abs(e)<1e3?`${Math.round(e/10)*10} ms`:`${(e/1e3).toFixed(1)} s`}function Fs(e){const t=["B","KiB","MiB","GiB"];let s=0;for(;e>=1024&&s<t.length-1;)e/=1024,s+=1;return`${s===0||e>=100?Math.round(e):e.toFixed(1)} ${t[s]}`}function En(e){const t=new Date(e);return t.setHours(7,0,0,0),t.getTime()<=e&&t.setDate(t.getDate()+1),t.getTime()}function fs(e){return`${String(Math.floor(e/60)).padStart(2,"0")}:${String(e%60).padStart(2,"0")}`}const Cn=w({type:P("format"),codec:p,width:v,height:v,audio_codec:z(p),substream:D,header:p}),On=w({type:P("segment"),stream:p,index:v,first_frame:v,last_frame:v,trust:Fe}),Tn=w({type:P("gap"),from_seq:v,to_seq:v,reason:p}),zn=w({type:P("stats"),received:v,dropped:v,lost:v,verified:v,broken:v,latency_ms:v}),Dn=w({type:P("end"),reason:p}),Nn=Dt("type",{format:Cn,segment:On,gap:Tn,stats:zn,end:Dn}),jn=["new_stream","slow_viewer","camera_restart","network_loss","failed_verification"];function Ln(e){const t=e.toLowerCase().replace(/[^a-z]/g,"");return jn.find(s=>s.replace("_","")===t)??"unknown"}function Gs(e){const t=atob(e),s=new Uint8Array(t.length);for(let i=0;i<t.length;i+=1)s[i]=t.charCodeAt(i);return s}const Ks=1500;class Ys{constructor(t){this.skipped=t}#e=!0;#t=null;passes(t,s){return s&&!this.#e&&this.close(t.frame),this.#e&&t.key&&!s&&(this.#e=!1,this.#t!==null&&t.frame>this.#t&&this.skipped(this.#t,t.frame),this.#t=null),!this.#e}close(t){this.#e=!0,this.#t=t}}const ms=300,Rn=6*1024*1024,Un=512,In=.3,Hn=1,gs=6;function Js(e){return`video/mp4; codecs="${[e.codec,e.audio_codec].filter(Boolean).join(", ")}"`}const vs=()=>typeof MediaSource=="function";class Wn{constructor(t){this.screen=t,this.path="mse",this.#e=document.createElement("video"),this.#t=null,this.#i=null,this.#s=[],this.#n=0,this.#a=[],this.#h=null,this.#d=0,this.#o=!1,this.#r=new Ys((s,i)=>t.skipped(s,i)),this.#e.muted=!0,this.#e.playsInline=!0,this.#e.addEventListener("error",()=>{this.#o||this.screen.failed(this.#e.error?.message||"the browser cannot play this")}),this.#m()}#e;#t;#i;#s;#n;#a;#r;#h;#d;#o;format(t){this.#h=t;const s=Js(t);if(!MediaSource.isTypeSupported(s)){this.screen.failed(s);return}this.#p(),this.#r.close(null),this.#c(null,Gs(t.header));const i=new MediaSource;this.#t=i,this.#i=null;const n=URL.createObjectURL(i);i.addEventListener("sourceopen",()=>{if(URL.revokeObjectURL(n),this.#t!==i)return;const a=i.addSourceBuffer(s);a.addEventListener("updateend",()=>{this.#i===a&&(this.#g(),this.#u())}),this.#i=a,this.#u()}),this.#e.src=n,this.#e.play().catch(()=>{})}media(t,s){if(this.#h){if(t.track==="video"){t.key&&t.ptsUs<this.#d-1e6&&this.format(this.#h);const i=this.#s.length>=ms||this.#n+s.byteLength>Rn,n=Date.now()-t.sentMs>Ks&&!t.key;if(i&&this.#l(),!this.#r.passes(t,i&&!t.key||n))return;this.#d=t.ptsUs,this.#a.push(t),this.#a.length>Un&&this.#a.shift()}else if(this.#s.length>=ms)return;this.#c(t,s),this.#u()}}gap(){this.#r.close(null)}sound(t){this.#e.muted=!t,t&&this.#e.play().catch(()=>{})}stop(){this.#o=!0,this.#p(),this.#t=null,this.#i=null,this.#e.removeAttribute("src"),this.#e.load()}#c(t,s){this.#s.push({head:t,data:s}),this.#n+=s.byteLength}#l(){this.#s=this.#s.filter(t=>t.head===null),this.#n=this.#s.reduce((t,s)=>t+s.data.byteLength,0)}#p(){this.#s=[],this.#n=0,this.#a=[],this.#d=0}#u(){const t=this.#i,s=this.#s[0];if(!(!t||!s||t.updating||this.#t?.readyState!=="open"))try{t.appendBuffer(s.data),this.#s.shift(),this.#n-=s.data.byteLength}catch(i){i instanceof DOMException&&i.name==="QuotaExceededError"?(this.#l(),this.#r.close(s.head?.frame??null),t.buffered.length>0&&t.remove(0,Math.max(.1,this.#e.currentTime-1))):this.screen.failed(i instanceof Error?i.message:String(i))}}#g(){const[t,s]=[this.#i,this.#e],i=t?.buffered;if(!t||!i||i.length===0)return;const n=i.start(i.length-1),a=i.end(i.length-1),o=a-s.currentTime;(s.currentTime<n||o>Hn)&&(s.currentTime=Math.max(n,a-.1)),s.playbackRate=o>In?1.1:1,s.paused&&s.play().catch(()=>{}),!t.updating&&i.start(0)<s.currentTime-gs*2&&t.remove(0,s.currentTime-gs)}#m(){this.#e.requestVideoFrameCallback((t,s)=>{if(this.#o)return;const i=s.mediaTime*1e6;let n=null;for(const a of this.#a)(!n||Math.abs(a.ptsUs-i)<Math.abs(n.ptsUs-i))&&(n=a);n&&(this.#a=this.#a.filter(a=>a.ptsUs>=n.ptsUs),this.screen.paint(this.#e,s.width,s.height,n)),this.#m()})}}const qn=300,Bn=8,Vn=600,Fn=()=>typeof VideoDecoder=="function";class Gn{constructor(t){this.screen=t,this.path="webcodecs",this.#e=null,this.#t=null,this.#s=new Map,this.#n=null,this.#a=0,this.#r=0,this.#i=new Ys((s,i)=>t.skipped(s,i))}#e;#t;#i;#s;#n;#a;#r;format(t){this.#t={codec:t.codec,description:Gs(t.header),optimizeForLatency:!0},t.width>0&&t.height>0&&(this.#t.codedWidth=t.width,this.#t.codedHeight=t.height),this.#i.close(null),this.#h()}media(t,s){if(t.track!=="video"||!this.#t)return;const i=this.#e;if(!i)return;const n=this.#d(),a=Date.now()-t.sentMs>Ks;if(this.#i.passes(t,(n||a)&&!t.key)){if(n&&t.key){const o=this.#s.values().next().value?.head.frame??t.frame;o<t.frame&&this.screen.skipped(o,t.frame),i.reset(),i.configure(this.#t),this.#s.clear()}this.#s.set(t.ptsUs,{head:t,since:performance.now()});try{i.decode(new EncodedVideoChunk({type:t.key?"key":"delta",timestamp:t.ptsUs,duration:t.durationUs,data:s}))}catch(o){this.#c(o)}}}gap(){this.#i.close(null)}sound(){}stop(){cancelAnimationFrame(this.#a),this.#n?.frame.close(),this.#n=null,this.#t=null,this.#o()}#h(){this.#o();const t=new VideoDecoder({output:s=>this.#l(s),error:s=>{this.#e===t&&this.#c(s)}});this.#e=t;try{this.#t&&t.configure(this.#t)}catch(s){this.#c(s)}}#d(){const t=this.#s.values().next().value;return!t||this.#s.size<Bn?!1:this.#s.size>=qn||performance.now()-t.since>Vn}#o(){const t=this.#e;this.#e=null,this.#s.clear(),t&&t.state!=="closed"&&t.close()}#c(t){this.#r+=1,this.#i.close(null),t instanceof DOMException&&t.name==="NotSupportedError"||this.#r>2?(this.#o(),this.screen.failed(t instanceof Error?t.message:String(t))):this.#h()}#l(t){const s=this.#s.get(t.timestamp)?.head;if(this.#s.delete(t.timestamp),!s){t.close();return}this.#r=0,this.#n?.frame.close(),this.#n={frame:t,head:s},this.#a||=requestAnimationFrame(()=>{this.#a=0;const i=this.#n;this.#n=null,i&&(this.screen.paint(i.frame,i.frame.displayWidth,i.frame.displayHeight,i.head),i.frame.close())})}}const Xs=6e4,bs=400;class Kn{constructor(){this.blocks=[]}picture(t,s,i){const n=this.blocks.at(-1);if(n&&!s&&n.kind==="pending"){n.toMs=i,n.last=t;return}this.#e({kind:"pending",fromMs:n&&n.kind!=="gap"?Math.min(n.toMs,i):i,toMs:i,first:t,last:t},i)}gap(t,s,i){const n=this.blocks.at(-1);if(n?.kind==="gap"&&n.reason===s){n.toMs=i,n.missed=(n.missed??0)+t;return}this.#e({kind:"gap",fromMs:n?.toMs??i,toMs:i,first:0,last:0,reason:s,missed:t},i)}verdict(t){for(const s of this.blocks)s.kind==="pending"&&(t.trust.state==="broken"?s.kind="broken":t.trust.state==="verified"&&t.first<=s.first&&s.last<=t.last&&(s.kind="verified"))}#e(t,s){this.blocks.push(t);const i=this.blocks.findIndex(n=>n.toMs>s-Xs*2);i>0&&this.blocks.splice(0,i),this.blocks.length>bs&&this.blocks.splice(0,this.blocks.length-bs)}}const ws=40;function Yn(e){if(e.byteLength<ws)return null;const t=new DataView(e),s=t.getUint8(0);return s>1?null:{head:{track:s===0?"video":"sound",key:(t.getUint8(1)&1)===1,durationUs:t.getUint32(4,!0),frame:Number(t.getBigUint64(8,!0)),ptsUs:Number(t.getBigInt64(16,!0)),captureMs:Number(t.getBigInt64(24,!0)),sentMs:Number(t.getBigInt64(32,!0))},data:new Uint8Array(e,ws)}}class Jn{constructor(t,s,i){this.takes=i,this.#e=new WebSocket(`ws://${location.host}/api/live/${encodeURIComponent(t)}?format=${s}`),this.#e.binaryType="arraybuffer",this.#e.onmessage=({data:n})=>this.#i(n),this.#e.onclose=()=>this.takes.over(this.#t)}#e;#t="";stop(){this.#e.onmessage=null,this.#e.onclose=null,this.#e.close()}#i(t){if(typeof t!="string"){const i=Yn(t);i&&this.takes.media(i.head,i.data);return}let s;try{s=Nn(JSON.parse(t),"")}catch(i){if(i instanceof zt||i instanceof SyntaxError)return;throw i}s.type==="end"&&(this.#t=s.reason),this.takes.message(s)}}const $s=64;class Xn{constructor(){this.#e=[],this.#t=[],this.#i=new Set,this.last=null,this.broken=null}#e;#t;#i;handle(t,s){const{stream:i,index:n,first_frame:a,last_frame:o,trust:d}=t,c={stream:i,index:n,first:a,last:o,trust:d,atMs:s};return this.#e.includes(i)||(this.#e.push(i),this.#e.length>$s&&this.#e.shift()),this.last=c,this.#i.delete(i),d.state==="broken"?!this.#t.some($=>this.#s($,c))&&!(this.broken&&this.#s(this.broken,c))&&(this.broken=c):d.state==="verified"&&(this.#t.push(c),this.#t.length>$s&&this.#t.shift(),this.broken&&this.#s(c,this.broken)&&(this.broken=null)),c}interrupted(){this.#i=new Set(this.#e)}of(t){const s=i=>!this.#i.has(i.stream)&&i.first<=t&&t<=i.last;return this.#t.findLast(s)??null}#s(t,s){return t.stream===s.stream?t.index>s.index:this.#e.indexOf(t.stream)>this.#e.indexOf(s.stream)}}const ys=[1e3,2e3,4e3,8e3,15e3],Qn=2e3,Zn=300,ea=1e3;class ta extends EventTarget{constructor(t,s){super(),this.phase="off",this.why="",this.format=null,this.stats=null,this.verdicts=new Xn,this.ribbon=new Kn,this.missed=[],this.shown=null,this.drawn=0,this.lagMs=0,this.#i=null,this.#s=null,this.#a=0,this.#r=!1,this.#h=!1,this.#d=0,this.#o=0,this.#c=null,this.#l=null,this.#e=t,this.#t=s,t.dataset.drawn="0",t.dataset.trust="pending"}#e;#t;#i;#s;#n;#a;#r;#h;#d;#o;#c;#l;get path(){return!this.#r&&!this.#h&&Fn()?"webcodecs":"mse"}get canSound(){return!!this.format?.audio_codec&&vs()&&MediaSource.isTypeSupported(Js(this.format))}get soundOn(){return this.#r}setSound(t){t!==this.#r&&(this.#r=t,this.phase!=="off"&&this.#p())}start(){this.phase==="off"&&this.#p()}stop(t="not_watched"){clearTimeout(this.#n),this.#c=t,this.#u(),this.phase="off",this.#f()}wipe(){this.stop(),this.#w(),this.shown=null}#p(){clearTimeout(this.#n),this.#u();const t=this.path==="webcodecs"?"au":"fmp4";if(t==="fmp4"&&!vs()){this.#$("");return}this.phase="connecting",this.verdicts.interrupted(),this.#e.dataset.path=this.path;const s={paint:(i,n,a,o)=>this.#k(i,n,a,o),skipped:(i,n)=>this.#v(n-i,"slow_page"),failed:i=>this.#_(i)};this.#s=t==="au"?new Gn(s):new Wn(s),this.#s.sound(this.#r&&!this.verdicts.broken),this.#i=new Jn(this.#t,t,{message:i=>this.#g(i),media:(i,n)=>{i.track==="video"&&this.#m(i),this.#s?.media(i,n)},over:i=>this.#M(i)}),this.#f()}#u(){this.#i?.stop(),this.#s?.stop(),this.#i=null,this.#s=null}#g(t){switch(t.type){case"format":this.format=t,this.#l=null,this.#s?.format(t);break;case"segment":this.#x(this.verdicts.handle(t,Date.now()));break;case"gap":this.verdicts.interrupted(),this.#v(Math.max(0,t.to_seq-t.from_seq),Ln(t.reason)),this.#s?.gap();break;case"stats":this.stats=t;break;default:return}this.#f()}#m(t){t.frame<this.#d-Zn&&(this.#l=null),this.#c&&this.#y(t,this.#c),this.#c=null,this.#d=t.frame,this.#o=t.captureMs,this.ribbon.picture(t.frame,t.key,Date.now())}#y(t,s){if(this.#o===0||t.captureMs-this.#o<=ea)return;const i=Math.max(0,t.frame-this.#d-1);s==="not_watched"?this.ribbon.gap(i,s,Date.now()):this.#v(i,s)}#x(t){this.ribbon.verdict(t),t.trust.state==="broken"&&(this.#l=this.#d),this.verdicts.broken&&this.#w(),this.#s?.sound(this.#r&&!this.verdicts.broken),this.#b(),this.dispatchEvent(new CustomEvent("verdict",{detail:t}))}#v(t,s){if(t===0&&s==="new_stream")return;const i=Date.now(),n=this.missed.at(-1);n&&n.reason===s&&i-n.atMs<Qn?this.missed[this.missed.length-1]={frames:n.frames+t,reason:s,atMs:i}:this.missed=[...this.missed,{frames:t,reason:s,atMs:i}].slice(-20),this.ribbon.gap(t,s,i),this.#f()}#k(t,s,i,n){if(this.verdicts.broken||this.phase==="off"||s===0||this.#l!==null&&n.frame<=this.#l)return;const a=this.#e;(a.width!==s||a.height!==i)&&(a.width=s,a.height=i),a.getContext("2d",{alpha:!1})?.drawImage(t,0,0,s,i),this.shown=n,this.drawn+=1,this.lagMs=Date.now()-n.captureMs,a.dataset.frame=String(n.frame),a.dataset.drawn=String(this.drawn),a.dataset.lag=String(this.lagMs),this.#a=0,this.#b(),this.phase!=="live"&&(this.phase="live",this.why="",this.#f()),this.dispatchEvent(new Event("picture"))}#b(){const t=this.shown!==null&&this.verdicts.of(this.shown.frame)!==null;this.#e.dataset.trust=this.verdicts.broken?"broken":t?"verified":"pending"}#w(){const t=this.#e.getContext("2d",{alpha:!1});t&&(t.fillStyle="#000",t.fillRect(0,0,this.#e.width,this.#e.height)),this.shown=null,delete this.#e.dataset.frame}#_(t){this.path==="webcodecs"?(this.#h=!0,this.#p()):this.#r?(this.#r=!1,this.#p()):this.#$(t)}#$(t){this.#u(),this.phase="unplayable",this.why=t,this.#f()}#M(t){this.#u(),this.#c="network_loss",this.phase="ended",this.why=t;const s=ys[Math.min(this.#a,ys.length-1)];this.#a+=1,this.#n=setTimeout(()=>this.#p(),s),this.#f()}#f(){this.dispatchEvent(new Event("change"))}}var sa=Object.defineProperty,ia=Object.getOwnPropertyDescriptor,pt=(e,t,s,i)=>{for(var n=i>1?void 0:i?ia(t,s):t,a=e.length-1,o;a>=0;a--)(o=e[a])&&(n=(i?o(t,s,n):o(n))||n);return i&&n&&sa(t,s,n),n};const na=7e3,aa=3e3,ra=600;let _e=class extends S{constructor(){super(...arguments),this.large=!1,this.view=null,this.visible=!1,this.lastPicture=0,this.watcher=new IntersectionObserver(e=>{this.visible=e.at(-1)?.isIntersecting??!1,this.follow()}),this.follow=()=>{this.view&&(this.visible&&document.visibilityState==="visible"&&this.camera.online?this.view.start():this.view.phase!=="off"&&this.view.stop(this.camera.online?"not_watched":"camera_restart"))},this.changed=()=>{this.requestUpdate(),this.dispatchEvent(new Event("change"))}}connectedCallback(){super.connectedCallback(),this.watcher.observe(this),document.addEventListener("visibilitychange",this.follow),this.tick=setInterval(()=>this.changed(),1e3)}disconnectedCallback(){super.disconnectedCallback(),this.watcher.disconnect(),document.removeEventListener("visibilitychange",this.follow),clearInterval(this.tick),this.visible=!1,this.view?.wipe(),this.view=null}updated(){if(this.isConnected){if(!this.view&&this.camera){const e=new ta(this.canvas,this.camera.id);e.addEventListener("change",this.changed),e.addEventListener("verdict",this.changed),e.addEventListener("picture",()=>{this.lastPicture=performance.now()}),this.view=e}this.follow()}}get trust(){const e=this.view;return e?.verdicts.broken?e.verdicts.broken.trust:performance.now()-this.lastPicture>ra&&e?.shown&&e.verdicts.of(e.shown.frame)?.trust||{state:"pending"}}get liveTrust(){return{frame:this.view?.shown?.frame??null,last:this.view?.verdicts.last??null,signer:this.camera.signer}}get age(){const e=this.view;if(!e?.shown)return"";const t=Date.now()-e.shown.captureMs;return e.phase==="live"&&t<aa?r.live.behind(Vs(Math.max(0,e.lagMs))):r.live.frozen(Rt(e.shown.captureMs,Date.now()))}render(){const{width:e,height:t}=this.camera,s=e>0&&t>0?`${e} / ${t}`:"16 / 9";return l`<div class="stage" ${yt({"--ratio":this.large?s:"16 / 9"})}>
      <canvas role="img" width="640" height="360" aria-label=${r.live.picture(this.camera.name)}></canvas>
      ${this.notice()} ${this.strip()}
    </div>`}notice(){const e=this.view,t=e?.verdicts.broken;if(t)return ze("broken",r.live.broken,t.trust.state==="broken"?t.trust.why:"","bad");if(!this.camera.online)return ze("unplugged",r.live.offline,r.live.offlineWhy,"off");if(!e||e.phase==="off"&&!e.shown)return h;switch(e.phase){case"connecting":return e.shown?h:ze(null,e.format?r.live.waiting:r.live.connecting,"","");case"ended":return ze("warning",r.live.ended,e.why||r.live.again,e.shown?"veil":"");case"unplayable":return ze("warning",r.live.unplayable,r.live.unplayableWhy(e.format?.codec??this.camera.codec),"");default:return h}}strip(){const e=this.view?.missed.at(-1);return!e||Date.now()-e.atMs>na?h:l`<p class="strip ${e.reason==="failed_verification"?"bad":""}" role="status">
      ${r.gap.missed(e.frames)}: ${r.gap.reasons[e.reason]}
    </p>`}};_e.styles=[C,A`
      .stage {
        position: relative;
        background: var(--stage);
        border-radius: inherit;
        overflow: hidden;
        aspect-ratio: var(--ratio, 16 / 9);
        max-height: inherit;
        width: 100%;
      }
      canvas {
        width: 100%;
        height: 100%;
        object-fit: cover;
        display: block;
      }
      :host([large]) canvas {
        object-fit: contain;
      }
      .over {
        position: absolute;
        inset: 0;
        display: grid;
        place-content: center;
        justify-items: center;
        gap: 6px;
        padding: 16px;
        text-align: center;
        color: #e6ece6;
        background: var(--stage);
        font-size: 0.9rem;
      }
      .over.veil {
        background: rgb(6 8 6 / 72%);
      }
      .over.bad {
        background: #2c0f0c;
        color: #ffd9d3;
      }
      .over .icon {
        width: 2rem;
        height: 2rem;
        opacity: 0.85;
      }
      .over strong {
        font-weight: 600;
        font-size: 1rem;
      }
      .over p {
        max-width: 46ch;
        opacity: 0.85;
        overflow-wrap: anywhere;
      }
      .strip {
        position: absolute;
        inset: auto 0 0;
        padding: 7px 14px;
        font-size: 0.87rem;
        font-weight: 550;
        background: repeating-linear-gradient(-45deg, #3a2a0a 0 10px, #453310 10px 20px);
        color: #ffe2ad;
      }
      .strip.bad {
        background: repeating-linear-gradient(-45deg, #43120d 0 10px, #511811 10px 20px);
        color: #ffd9d3;
      }
    `];pt([y({attribute:!1})],_e.prototype,"camera",2);pt([y({type:Boolean,reflect:!0})],_e.prototype,"large",2);pt([W("canvas")],_e.prototype,"canvas",2);_e=pt([E("live-picture")],_e);function ze(e,t,s,i){return l`<div class="over ${i}" role="status">
    ${e?u(e):l`<span class="spin"></span>`}
    <strong>${t}</strong>
    ${s?l`<p>${s}</p>`:h}
  </div>`}var oa=Object.defineProperty,la=Object.getOwnPropertyDescriptor,ee=(e,t,s,i)=>{for(var n=i>1?void 0:i?la(t,s):t,a=e.length-1,o;a>=0;a--)(o=e[a])&&(n=(i?o(t,s,n):o(n))||n);return i&&n&&oa(t,s,n),n};let G=class extends S{constructor(){super(...arguments),this.trust={state:"pending"},this.live=null,this.told=!1,this.atMs=null,this.small=!1,this.of="",this.open=!1,this.show=async e=>{e.preventDefault(),e.stopPropagation(),this.open=!0,await this.updateComplete,this.dialog.showModal()},this.outside=e=>{e.stopPropagation(),e.target===this.dialog&&this.dialog.close()}}get kind(){return this.trust.state!=="pending"?this.trust.state:this.live?"live":this.told?"told":"pending"}willUpdate(){this.dataset.trust=this.trust.state}render(){const e=this.kind;return l`<button
        class=${this.trust.state}
        aria-haspopup="dialog"
        aria-label="${this.of?`${this.of}, `:""}${r.trust[e]}: ${r.trust.explain}"
        title=${r.trust.explain}
        @click=${this.show}
      >
        ${u(this.trust.state)}${this.small?h:l`<span>${this.of?`${this.of}: `:""}${r.trust[e]}</span>`}
      </button>
      <dialog aria-labelledby="title" @close=${()=>this.open=!1} @click=${this.outside}>
        ${this.open?this.explanation():h}
      </dialog>`}explanation(){const{trust:e,live:t,kind:s}=this,i=[];return e.state==="verified"&&(i.push([r.trust.signer,e.signer,!0]),i.push([r.trust.lease,e.lease_until_ms===null?r.trust.noLease:V(e.lease_until_ms)])),e.state==="broken"&&i.push([r.trust.why,e.why]),this.atMs!==null&&i.push([r.trust.when,V(this.atMs,!0)]),t&&(t.signer&&e.state!=="verified"&&i.push([r.trust.signer,t.signer,!0]),t.frame!==null&&i.push([r.trust.frame,r.trust.frameIs(t.frame)]),i.push([r.trust.lastVerdict,ca(t.last)])),e.state==="pending"&&!this.told&&i.push([r.trust.missing,t?r.trust.missingLive:r.trust.missingPending]),l`<div class="body">
      <div class="row top">
        <span class="seal ${e.state}">${u(e.state)}</span>
        <h2 id="title" class="grow">${r.trust.titles[s]}</h2>
        <button class="quiet square" aria-label=${r.close} @click=${()=>this.dialog.close()}>${u("close")}</button>
      </div>
      <p>${r.trust.texts[s]}${t&&e.state==="broken"?l` ${r.trust.stoppedWhy}`:h}</p>
      ${i.length>0?l`<dl class="facts">
            ${i.map(([n,a,o])=>l`<dt>${n}</dt><dd class=${o?"mono":""}>${a}</dd>`)}
          </dl>`:h}
    </div>`}};G.styles=[C,A`
      :host {
        display: inline-block;
      }
      button:not(.quiet) {
        min-height: 26px;
        padding: 0 9px 0 6px;
        gap: 5px;
        border: 0;
        border-radius: 13px;
        font-size: 0.82rem;
        font-weight: 600;
        white-space: nowrap;
      }
      :host([small]) button:not(.quiet) {
        padding: 0 5px;
        min-width: 26px;
      }
      button .icon {
        width: 1.05rem;
        height: 1.05rem;
      }
      .verified {
        background: var(--good-soft);
        color: var(--good);
      }
      .pending {
        background: var(--wait-soft);
        color: var(--wait);
      }
      .broken {
        background: var(--bad-soft);
        color: var(--bad);
      }
      dialog {
        border: 0;
        border-radius: 20px;
        padding: 0;
        width: min(460px, calc(100vw - 32px));
        background: var(--raised);
        color: var(--ink);
        box-shadow: var(--shadow-high);
        text-align: left;
        font-size: 0.95rem;
        white-space: normal;
        cursor: auto;
      }
      dialog::backdrop {
        background: rgb(8 12 9 / 55%);
      }
      .body {
        display: grid;
        gap: 14px;
        padding: 20px;
      }
      .top {
        flex-wrap: nowrap;
        gap: 12px;
      }
      .body p {
        color: var(--ink-2);
      }
      .seal {
        width: 44px;
        height: 44px;
        border-radius: 14px;
        display: grid;
        place-items: center;
        flex: none;
      }
      .seal .icon {
        width: 1.6rem;
        height: 1.6rem;
      }
      .facts {
        padding-top: 14px;
        border-top: 1px solid var(--line);
      }
    `];ee([y({attribute:!1})],G.prototype,"trust",2);ee([y({attribute:!1})],G.prototype,"live",2);ee([y({type:Boolean})],G.prototype,"told",2);ee([y({attribute:!1})],G.prototype,"atMs",2);ee([y({type:Boolean})],G.prototype,"small",2);ee([y()],G.prototype,"of",2);ee([m()],G.prototype,"open",2);ee([W("dialog")],G.prototype,"dialog",2);G=ee([E("trust-badge")],G);function ca(e){return e?e.trust.state==="broken"?r.trust.verdictBroken:r.trust.verdictVerified(e.first,e.last):r.trust.noVerdict}var da=Object.defineProperty,ha=Object.getOwnPropertyDescriptor,Ut=(e,t,s,i)=>{for(var n=i>1?void 0:i?ha(t,s):t,a=e.length-1,o;a>=0;a--)(o=e[a])&&(n=(i?o(t,s,n):o(n))||n);return i&&n&&da(t,s,n),n};let We=class extends S{render(){const e=this.camera,t=this.picture,s=t?.trust.state==="broken";return l`<article>
      <a class="open" href=${Ue({page:"camera",id:e.id})} aria-label=${r.live.open(e.name)}></a>
      <live-picture .camera=${e} @change=${()=>this.requestUpdate()}></live-picture>
      <div class="below">
        <div class="grow">
          <h2>${e.name}</h2>
          <p class=${e.online?"on":"off"}>
            <i></i>${e.online?r.live.online:r.live.offlineShort}
            ${e.online&&t?.age?l`<span>· ${t.age}</span>`:h}
          </p>
        </div>
        ${e.online&&(t?.view?.shown||s)?l`<trust-badge .trust=${t.trust} .live=${t.liveTrust}></trust-badge>`:h}
      </div>
    </article>`}};We.styles=[C,A`
      article {
        position: relative;
        background: var(--surface);
        border: 1px solid var(--line);
        border-radius: var(--round);
        box-shadow: var(--shadow);
        transition:
          border-color 0.15s,
          box-shadow 0.15s;
      }
      article:hover {
        border-color: var(--line-strong);
      }
      .open {
        position: absolute;
        inset: 0;
        z-index: 1;
        border-radius: var(--round);
      }
      .open:focus-visible {
        border-radius: var(--round);
      }
      live-picture {
        border-radius: calc(var(--round) - 1px) calc(var(--round) - 1px) 0 0;
        overflow: hidden;
      }
      .below {
        display: flex;
        align-items: center;
        gap: 10px;
        padding: 12px 14px 13px 16px;
      }
      h2 {
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      p {
        display: flex;
        align-items: center;
        gap: 7px;
        font-size: 0.87rem;
        color: var(--ink-2);
        white-space: nowrap;
        font-variant-numeric: tabular-nums;
      }
      i {
        width: 8px;
        height: 8px;
        border-radius: 50%;
        background: var(--accent);
      }
      .off i {
        background: transparent;
        border: 2px solid var(--ink-3);
      }
      trust-badge {
        position: relative;
        z-index: 2;
      }
    `];Ut([y({attribute:!1})],We.prototype,"camera",2);Ut([W("live-picture")],We.prototype,"picture",2);We=Ut([E("camera-tile")],We);var pa=Object.defineProperty,ua=Object.getOwnPropertyDescriptor,It=(e,t,s,i)=>{for(var n=i>1?void 0:i?ua(t,s):t,a=e.length-1,o;a>=0;a--)(o=e[a])&&(n=(i?o(t,s,n):o(n))||n);return i&&n&&pa(t,s,n),n};let qe=class extends S{constructor(){super(),this.profile=null,this.waits=!1,new Z(this,e=>{e.type==="wishes_changed"&&this.load()})}connectedCallback(){super.connectedCallback(),this.load()}async load(){try{const{kept:e,pending:t}=await M.settings();this.profile=t?.profile??e.profile,this.waits=t!==null&&t.profile!==e.profile}catch{}}render(){const e=b.cameras,t=e.filter(s=>s.online).length;return l`<div class="head">
        <div>
          <h1>${r.titles.cameras}</h1>
          <p>${r.live.lead(t,e.length)}</p>
        </div>
        ${this.profile?l`<div class="row">
              ${this.waits?l`<span class="spin" title=${r.settings.pending}></span>`:h}
              <div class="segmented" role="group" aria-label=${r.settings.profile}>
                ${["home","away"].map(s=>l`<button aria-pressed=${String(this.profile===s)} @click=${()=>this.choose(s)}>
                    ${u(s)}${r.settings[s]}
                  </button>`)}
              </div>
            </div>`:h}
      </div>
      ${e.length===0&&b.camerasLoaded?l`<div class="card empty">${u("cameras")}<h2>${r.live.none}</h2><p>${r.live.noneWhy}</p></div>`:l`<ul class="wall ${e.length===1?"one":""}">
            ${jt(e,s=>s.id,s=>l`<li><camera-tile .camera=${s}></camera-tile></li>`)}
          </ul>`}`}async choose(e){const t=this.profile;if(e!==t){this.profile=e,this.waits=!0;try{await M.profile(e),this.waits=!1}catch(s){const i=s instanceof F&&s.kind==="offline";O.say(j(s),{kind:i?"warn":"bad"}),i||(this.profile=t),this.waits=i}}}};qe.styles=[C,A`
      .wall {
        display: grid;
        gap: clamp(14px, 1.6vw, 24px);
        grid-template-columns: repeat(auto-fill, minmax(min(100%, 400px), 1fr));
      }
      .wall.one {
        max-width: 1000px;
        grid-template-columns: 1fr;
      }
    `];It([m()],qe.prototype,"profile",2);It([m()],qe.prototype,"waits",2);qe=It([E("page-cameras")],qe);const fa=8e3;async function ma(e,t,s){const i=e.shown;if(!i||e.verdicts.broken)return{kind:"nothing"};const n=await new Promise(c=>t.toBlob(c,"image/png"));if(!n)return{kind:"nothing"};const a=await va(e,i.frame);if(a)return{kind:"broken",why:a.trust.state==="broken"?a.trust.why:""};const o=e.verdicts.of(i.frame)!==null,d=ga(s,i.captureMs,o);return ba(n,d),{kind:"saved",verified:o,name:d}}function ga(e,t,s){const i=new Date(t),n=c=>String(c).padStart(2,"0"),a=`${i.getFullYear()}-${n(i.getMonth()+1)}-${n(i.getDate())}`,o=`${n(i.getHours())}.${n(i.getMinutes())}.${n(i.getSeconds())}`;return`${e.replace(/[^\p{L}\p{N} _-]/gu,"_")} ${a} ${o}${s?"":" (not verified yet)"}.png`}function va(e,t){return new Promise(s=>{const i=setTimeout(()=>n(null),fa),n=o=>{clearTimeout(i),e.removeEventListener("verdict",a),s(o)},a=o=>{const d=o.detail;d.trust.state==="broken"?n(d):e.verdicts.of(t)&&n(null)};e.addEventListener("verdict",a),e.verdicts.of(t)&&n(null)})}function ba(e,t){const s=document.createElement("a");s.href=URL.createObjectURL(e),s.download=t,s.click(),setTimeout(()=>URL.revokeObjectURL(s.href),1e4)}const wa=A`
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
`;var $a=Object.defineProperty,ya=Object.getOwnPropertyDescriptor,Ht=(e,t,s,i)=>{for(var n=i>1?void 0:i?ya(t,s):t,a=e.length-1,o;a>=0;a--)(o=e[a])&&(n=(i?o(t,s,n):o(n))||n);return i&&n&&$a(t,s,n),n};const xa=250,ka=["verified","pending","broken","gap"];let Be=class extends S{constructor(){super(...arguments),this.ribbon=null}connectedCallback(){super.connectedCallback(),this.timer=setInterval(()=>this.paint(),xa)}disconnectedCallback(){super.disconnectedCallback(),clearInterval(this.timer)}render(){return l`<canvas role="img" aria-label=${r.live.ribbon}></canvas>
      <div class="row spread">
        <span>${r.live.ribbonAgo}</span>
        <ul class="row">
          ${ka.map(e=>l`<li class=${e}>${r.live.legend[e]}</li>`)}
        </ul>
        <span>${r.live.ribbonNow}</span>
      </div>`}paint(){const e=this.canvas,t=e?.getContext("2d");if(!t||document.visibilityState!=="visible")return;const s=devicePixelRatio||1,i=e.clientWidth,n=e.clientHeight;e.width!==Math.round(i*s)&&(e.width=Math.round(i*s)),e.height!==Math.round(n*s)&&(e.height=Math.round(n*s)),t.setTransform(s,0,0,s,0,0),t.clearRect(0,0,i,n);const a=getComputedStyle(this),o=$=>a.getPropertyValue($).trim();t.fillStyle=o("--sunken"),t.fillRect(0,0,i,n);const d=Date.now(),c=$=>i*(1-(d-$)/Xs),f={verified:o("--accent"),pending:o("--line-strong"),broken:o("--bad"),gap:o("--warn")};for(const $ of this.ribbon?.blocks??[]){const g=Math.max(0,c($.fromMs)),_=c($.toMs);if(!(_<0))if(t.fillStyle=f[$.kind],$.kind==="gap"){const x=Math.max(_-g,3);t.clearRect(g,0,x,n),t.fillRect(g,n/2-1,x,2),t.fillRect(g,0,1.5,n),t.fillRect(g+x-1.5,0,1.5,n)}else t.globalAlpha=$.kind==="pending"?.55:1,t.fillRect(g,0,Math.max(_-g-1,1),n),t.globalAlpha=1}}};Be.styles=[C,A`
      canvas {
        width: 100%;
        height: 14px;
        border-radius: 7px;
        display: block;
      }
      div {
        margin-top: 6px;
        font-size: 0.8rem;
        color: var(--ink-3);
      }
      @media (max-width: 640px) {
        ul {
          order: 3;
          width: 100%;
        }
      }
      li {
        display: flex;
        align-items: center;
        gap: 6px;
      }
      li::before {
        content: '';
        width: 10px;
        height: 10px;
        border-radius: 3px;
      }
      .verified::before {
        background: var(--accent);
      }
      .pending::before {
        background: var(--line-strong);
        opacity: 0.55;
      }
      .broken::before {
        background: var(--bad);
      }
      .gap::before {
        border: 1.5px solid var(--warn);
        border-block-width: 0;
        background: linear-gradient(var(--warn), var(--warn)) center / 100% 1.5px no-repeat;
      }
    `];Ht([y({attribute:!1})],Be.prototype,"ribbon",2);Ht([W("canvas")],Be.prototype,"canvas",2);Be=Ht([E("ribbon-strip")],Be);const ne=16;function _a(e){const t=new Uint8ClampedArray(ne*ne*4);for(let s=0;s<ne*ne;s+=1){const i=Math.min(255,Math.max(0,e[s]??0))/255;t[s*4]=255,t[s*4+1]=Math.round(200-150*i),t[s*4+2]=Math.round(60-30*i),t[s*4+3]=i<.06?0:Math.round(40+115*i)}return t}function Qs(e,t){const s=document.createElement("canvas");s.width=ne,s.height=ne,s.getContext("2d")?.putImageData(new ImageData(_a(t),ne,ne),0,0),e.width=320,e.height=180;const i=e.getContext("2d");i&&(i.imageSmoothingEnabled=!0,i.imageSmoothingQuality="high",i.drawImage(s,0,0,e.width,e.height))}var Ma=Object.defineProperty,Sa=Object.getOwnPropertyDescriptor,Ae=(e,t,s,i)=>{for(var n=i>1?void 0:i?Sa(t,s):t,a=e.length-1,o;a>=0;a--)(o=e[a])&&(n=(i?o(t,s,n):o(n))||n);return i&&n&&Ma(t,s,n),n};let re=class extends S{constructor(){super(...arguments),this.clip=null,this.heat=!1,this.badge=!1,this.picture=null,this.asked="",this.near=!1,this.watcher=new IntersectionObserver(e=>{this.near||=e.some(t=>t.isIntersecting),this.near&&this.fetch()},{rootMargin:"200px"})}connectedCallback(){super.connectedCallback(),this.watcher.observe(this)}disconnectedCallback(){super.disconnectedCallback(),this.watcher.disconnect()}render(){const e=this.clip,t=e?.trust.state==="broken";return l`<div class="frame ${t?"broken":""}">
      ${this.picture&&!t?l`<img src=${this.picture.url} alt="" />`:l`<span title=${t?r.clip.broken:r.events.noThumbnail}>${u(t?"broken":"cameras")}</span>`}
      ${this.heat&&e?.notes&&!t?l`<canvas></canvas>`:h}
      ${this.badge&&this.picture&&!t?l`<trust-badge small told .trust=${this.picture.trust} .atMs=${e?.notes?.peak_ms??null}></trust-badge>`:h}
    </div>`}updated(){this.near&&this.fetch(),this.canvas&&this.clip?.notes&&Qs(this.canvas,this.clip.notes.heat)}async fetch(){const e=this.clip,t=e?.notes?.thumbnail&&e.trust.state!=="broken"?e.id:"";if(t===this.asked||(this.asked=t,this.picture=null,!t))return;const s=await Xe.get(t);this.asked===t&&(this.picture=s)}};re.styles=[C,A`
      .frame {
        position: relative;
        aspect-ratio: 16 / 9;
        border-radius: inherit;
        overflow: hidden;
        background: var(--empty);
        display: grid;
        place-items: center;
        color: var(--ink-3);
      }
      .frame.broken {
        background: var(--bad-soft);
        color: var(--bad);
      }
      trust-badge {
        position: absolute;
        top: 8px;
        right: 8px;
        z-index: 1;
      }
      img,
      canvas {
        position: absolute;
        inset: 0;
        width: 100%;
        height: 100%;
        object-fit: cover;
      }
    `];Ae([y({attribute:!1})],re.prototype,"clip",2);Ae([y({type:Boolean})],re.prototype,"heat",2);Ae([y({type:Boolean})],re.prototype,"badge",2);Ae([m()],re.prototype,"picture",2);Ae([W("canvas")],re.prototype,"canvas",2);re=Ae([E("clip-picture")],re);var Pa=Object.defineProperty,Aa=Object.getOwnPropertyDescriptor,Ge=(e,t,s,i)=>{for(var n=i>1?void 0:i?Aa(t,s):t,a=e.length-1,o;a>=0;a--)(o=e[a])&&(n=(i?o(t,s,n):o(n))||n);return i&&n&&Pa(t,s,n),n};const Ea={motion:"motion","camera-offline":"unplugged","camera-online":"cameras",tampered:"covered","disk-nearly-full":"disk","relay-nearly-full":"disk","relay-unreachable":"relay","relay-back":"relay"};let ve=class extends S{constructor(){super(...arguments),this.events=[],this.compact=!1,this.round=0,this.now=Date.now()}willUpdate(){this.now=Date.now()}render(){if(this.events.length===0)return l`<div class="empty">
        ${this.compact?h:u("events")}
        ${this.compact?l`<p>${r.events.none}</p>`:l`<h2>${r.events.none}</h2><p>${r.events.noneWhy}</p>`}
      </div>`;const e=new Map;for(const t of this.events){const s=Pn(t.at_ms,this.now);e.set(s,[...e.get(s)??[],t])}return l`${[...e].map(([t,s])=>l`<section>
        <h3>${t}</h3>
        <ol>
          ${jt(s,i=>i.id,i=>l`<li class=${i.severity}>${this.one(i)}</li>`)}
        </ol>
      </section>`)}`}one(e){const t=Us(e.clip_id),s=Ea[e.kind]??"info",i=t?.trust.state==="broken",n=t?.trust.state==="verified"?r.events.clipVerified:i?r.events.clipBroken:"",a=[e.body,t?.finished?ht(t.duration_ms):"",n].filter(Boolean).join(" · ");return l`${this.compact?h:e.clip_id?l`<clip-picture .clip=${t}></clip-picture>`:l`<span class="no-picture">${u(s)}</span>`}
      <span class="sign">${u(s)}</span>
      <div class="grow">
        <p class="what">
          ${e.clip_id?l`<a href=${Ue({page:"clip",id:e.clip_id})}>${e.title}</a>`:e.title}
          ${e.severity==="alarm"?l`<b>${r.events.alarm}</b>`:h}
        </p>
        ${a?l`<p class="small soft">${a}</p>`:h}
      </div>
      <time datetime=${new Date(e.at_ms).toISOString()}>${ae(e.at_ms)}</time>
      ${this.compact?h:l`<trust-badge
            ?small=${!0}
            .trust=${i?t.trust:e.trust}
            .told=${!i}
            .atMs=${e.at_ms}
          ></trust-badge>`}`}};ve.styles=[C,A`
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
    `];Ge([y({attribute:!1})],ve.prototype,"events",2);Ge([y({type:Boolean})],ve.prototype,"compact",2);Ge([y({attribute:!1})],ve.prototype,"round",2);Ge([m()],ve.prototype,"now",2);ve=Ge([E("event-list")],ve);var Ca=Object.defineProperty,Oa=Object.getOwnPropertyDescriptor,Ee=(e,t,s,i)=>{for(var n=i>1?void 0:i?Oa(t,s):t,a=e.length-1,o;a>=0;a--)(o=e[a])&&(n=(i?o(t,s,n):o(n))||n);return i&&n&&Ca(t,s,n),n};const xs=36e5;let oe=class extends S{constructor(){super(...arguments),this.cameraId=null,this.name="",this.untilMs=null,this.place=()=>{const e=this.button.getBoundingClientRect(),t=e.bottom+230<innerHeight;this.menu.style.setProperty("left",`${Math.max(8,Math.min(e.left,innerWidth-218))}px`),this.menu.style.setProperty("top",t?`${e.bottom+6}px`:"auto"),this.menu.style.setProperty("bottom",t?"auto":`${innerHeight-e.top+6}px`)}}get active(){return this.untilMs!==null&&this.untilMs>Date.now()?this.untilMs:null}render(){const e=this.active,t=e===null?this.cameraId===null?r.settings.snoozeAll:r.snooze.title:r.snooze.until(ks(e)),s=Date.now();return l`<button popovertarget="menu" aria-haspopup="true" aria-pressed=${e!==null?"true":h}>
        ${u("snooze")}<span>${t}</span>
      </button>
      <div id="menu" class="menu" popover role="group" aria-label=${r.snooze.choose(this.name)} @beforetoggle=${this.place}>
        <button class="quiet" @click=${()=>this.set(Date.now()+xs)}>${r.snooze.hour}</button>
        <button class="quiet" @click=${()=>this.set(Date.now()+8*xs)}>${r.snooze.hours}</button>
        <button class="quiet" @click=${()=>this.set(En(s))}>${r.snooze.morning}</button>
        ${e!==null||this.cameraId===null?l`<button class="quiet" @click=${()=>this.set(null)}>${r.snooze.off}</button>`:h}
      </div>`}async set(e){this.menu.hidePopover();try{await M.snooze(this.cameraId,e),this.untilMs=e,O.say(e===null?r.snooze.ended:r.snooze.until(ks(e)),{kind:"good"})}catch(t){const s=t instanceof F&&t.kind==="offline";s&&(this.untilMs=e),O.say(j(t),{kind:s?"warn":"bad"})}this.dispatchEvent(new Event("change"))}};oe.styles=[C,A`
      :host {
        display: inline-block;
      }
      .menu {
        position: fixed;
        inset: auto;
        margin: 0;
        width: 210px;
        border: 1px solid var(--line);
        border-radius: 14px;
        background: var(--raised);
        box-shadow: var(--shadow-high);
        padding: 6px;
      }
      .menu button {
        width: 100%;
        justify-content: flex-start;
        color: var(--ink);
      }
    `];Ee([y({attribute:!1})],oe.prototype,"cameraId",2);Ee([y()],oe.prototype,"name",2);Ee([y({attribute:!1})],oe.prototype,"untilMs",2);Ee([W(".menu")],oe.prototype,"menu",2);Ee([W("button")],oe.prototype,"button",2);oe=Ee([E("snooze-menu")],oe);function ks(e){return st(e)===st(Date.now())?ae(e):V(e)}var Ta=Object.defineProperty,za=Object.getOwnPropertyDescriptor,ce=(e,t,s,i)=>{for(var n=i>1?void 0:i?za(t,s):t,a=e.length-1,o;a>=0;a--)(o=e[a])&&(n=(i?o(t,s,n):o(n))||n);return i&&n&&Ta(t,s,n),n};const Da=8;let K=class extends S{constructor(){super(),this.cameraId="",this.events=[],this.snoozed=null,this.saving=!1,this.full=!1,this.load=async()=>{try{const[e,t]=await Promise.all([M.events({camera:this.cameraId,limit:Da}),M.settings()]);this.events=e.events;const s=(t.pending??t.kept).cameras.find(i=>i.camera_id===this.cameraId);this.snoozed=s?.snooze_until_ms??null}catch{}},this.sound=()=>{const e=this.picture?.view;e?.setSound(!e.soundOn)},this.snapshot=async()=>{const e=b.camera(this.cameraId),t=this.picture;if(!t?.view||!e||this.saving)return;this.saving=!0;const s=await ma(t.view,t.canvas,e.name);if(this.saving=!1,s.kind==="saved"){const i=s.verified?r.live.snapshotSaved:r.live.snapshotUnverified;O.say(i,{body:s.name,kind:s.verified?"good":"warn"})}else s.kind==="broken"?O.say(r.live.snapshotBroken,{body:s.why,kind:"bad"}):O.say(r.live.snapshotNothing,{kind:"warn"})},this.fullscreen=()=>{document.fullscreenElement?document.exitFullscreen():this.player.requestFullscreen().catch(()=>{})},this.fullChanged=()=>{this.full=document.fullscreenElement!==null},this.key=e=>{e.ctrlKey||e.metaKey||e.altKey||(e.key==="f"?this.fullscreen():e.key==="m"&&this.picture?.view?.canSound?this.sound():e.key==="s"&&this.snapshot())},new Z(this,e=>{e.type==="happened"&&e.event.camera_id===this.cameraId&&this.load(),e.type==="wishes_changed"&&this.load()})}connectedCallback(){super.connectedCallback(),document.addEventListener("fullscreenchange",this.fullChanged)}disconnectedCallback(){super.disconnectedCallback(),document.removeEventListener("fullscreenchange",this.fullChanged)}willUpdate(e){e.has("cameraId")&&this.load()}render(){const e=b.camera(this.cameraId);if(!e)return l`<div class="card empty">${u("cameras")}<h2>${r.live.unknown}</h2><a href="#/cameras">${r.live.back}</a></div>`;const t=this.picture,s=!!t?.view?.shown||t?.trust.state==="broken";return l`<div class="head">
        <div class="row title">
          <a class="button quiet square" href="#/cameras" aria-label=${r.live.back}>${u("back")}</a>
          <h1>${e.name}</h1>
          ${e.online&&s?l`<trust-badge .trust=${t?.trust} .live=${t?.liveTrust}></trust-badge>`:h}
        </div>
        <p class="age" aria-live="off">${e.online?t?.age??"":r.live.offline}</p>
      </div>
      <div class="layout">
        <div class="stack">
          <div class="player" @keydown=${this.key}>
            <live-picture large .camera=${e} @change=${()=>this.requestUpdate()}></live-picture>
            ${this.bar(e)}
          </div>
          <div class="card proof"><ribbon-strip .ribbon=${t?.view?.ribbon??null}></ribbon-strip></div>
          ${this.missed()}
        </div>
        <aside class="stack">
          ${this.facts(e)}
          <section class="card">
            <div class="row spread recent">
              <h2>${r.live.recent}</h2>
              <a class="small" href="#/events">${r.live.all}</a>
            </div>
            <event-list compact .events=${this.events}></event-list>
          </section>
        </aside>
      </div>`}bar(e){const t=this.picture?.view,s=t?.soundOn??!1;return l`<div class="bar row">
      ${t?.canSound?l`<button aria-pressed=${String(s)} title=${r.live.soundWhy} @click=${this.sound}>
            ${u(s?"sound":"mute")}<span>${s?r.live.soundOff:r.live.soundOn}</span>
          </button>`:h}
      <button ?disabled=${this.saving||!t?.shown} @click=${this.snapshot}>
        ${this.saving?l`<span class="spin"></span>`:u("snapshot")}<span>${this.saving?r.live.snapshotWaits:r.live.snapshot}</span>
      </button>
      <snooze-menu .cameraId=${e.id} .name=${e.name} .untilMs=${this.snoozed} @change=${this.load}></snooze-menu>
      <span class="grow"></span>
      ${t?.format?.substream?l`<span class="small soft">${r.live.substream}</span>`:h}
      <button aria-label=${this.full?r.live.fullscreenEnd:r.live.fullscreen} title=${r.live.fullscreen} class="square" @click=${this.fullscreen}>
        ${u(this.full?"shrink":"expand")}
      </button>
    </div>`}facts(e){const t=this.picture?.view,s=t?.format,i=r.live.fact;return l`<section class="card stack">
      <h2>${r.live.facts}</h2>
      <dl class="facts">
        <dt>${i.latency}</dt>
        <dd>${t?.phase==="live"&&t.shown?Vs(Math.max(0,t.lagMs)):"–"}</dd>
        <dt>${i.checked}</dt>
        <dd>${t?.stats?r.live.checked(t.stats.verified,t.stats.broken):"–"}</dd>
        <dt>${i.dropped}</dt>
        <dd>${t?.stats?.dropped??"–"}</dd>
        <dt>${i.size}</dt>
        <dd>${s?.width||e.width} × ${s?.height||e.height}</dd>
        <dt>${i.codec}</dt>
        <dd>${s?.codec||e.codec}${s?.audio_codec?` + ${s.audio_codec}`:""}</dd>
        <dt>${i.path}</dt>
        <dd>${t&&t.phase!=="unplayable"?r.live.paths[t.path]:"–"}</dd>
        <dt>${i.signer}</dt>
        <dd class="mono">${e.signer}</dd>
      </dl>
    </section>`}missed(){const e=this.picture?.view?.missed??[];return e.length===0?h:l`<section class="card stack">
      <h2>${r.gap.title}</h2>
      <ul class="missed">
        ${[...e].reverse().map(t=>l`<li><span>${ae(t.atMs,!0)}</span>${r.gap.missed(t.frames)}: ${r.gap.reasons[t.reason]}</li>`)}
      </ul>
    </section>`}};K.styles=[C,wa];ce([y({attribute:!1})],K.prototype,"cameraId",2);ce([m()],K.prototype,"events",2);ce([m()],K.prototype,"snoozed",2);ce([m()],K.prototype,"saving",2);ce([m()],K.prototype,"full",2);ce([W("live-picture")],K.prototype,"picture",2);ce([W(".player")],K.prototype,"player",2);K=ce([E("page-camera")],K);const Na=A`
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
`;var ja=Object.defineProperty,La=Object.getOwnPropertyDescriptor,Zs=(e,t,s,i)=>{for(var n=i>1?void 0:i?La(t,s):t,a=e.length-1,o;a>=0;a--)(o=e[a])&&(n=(i?o(t,s,n):o(n))||n);return i&&n&&ja(t,s,n),n};const L=r.clip.report;let it=class extends S{render(){const e=this.report,t=e.signer_known;return l`<div class="note ${e.ok?"good":"bad"}" role="status">
        ${u(e.ok?"verified":"broken")}<strong>${e.ok?L.ok:L.bad}</strong>
      </div>
      <ul>
        ${this.line(e.signer&&t,e.signer?l`${L.signer} <span class="mono">${e.signer}</span>, ${t?L.known:L.unknown}`:l`${L.signer} ${L.noSigner}`)}
        ${this.line(!0,l`${L.time} ${V(e.time_claim_ms,!0)} – ${ae(e.time_end_ms,!0)}`)}
        ${this.line(e.ok||e.frames_checked>0,l`${L.frames(e.frames_checked,e.segments)}`)}
        ${e.chain.length>1?this.line(e.ok,l`${L.chained(e.chain.length)}`):h}
        ${e.gaps.length===0?this.line(!0,l`${L.gapsNone}`):h}
        ${e.gaps.map(s=>this.line(!1,l`${L.gap(V(s.from_ms,!0),V(s.until_ms,!0),L.gapWhy[s.reason])}`,"warn"))}
        ${e.clock_set_back>0?this.line(!1,l`${L.clock(e.clock_set_back)}`,"warn"):h}
        ${e.first_segment>0?this.line(!1,l`${L.first(e.first_segment)}`,"warn"):h}
      </ul>
      ${e.problems.length>0?l`<h3>${L.problems}</h3>
            <ul>
              ${e.problems.map(s=>this.line(!1,l`${s}`))}
            </ul>`:h}`}line(e,t,s="bad"){return l`<li class=${e?"good":s}>${u(e?"check":s==="bad"?"close":"info")}<span>${t}</span></li>`}};it.styles=[C,A`
      :host {
        display: grid;
        gap: 12px;
      }
      .note {
        align-items: center;
      }
      li {
        display: flex;
        gap: 10px;
        padding: 5px 0;
        min-width: 0;
      }
      li span {
        min-width: 0;
        overflow-wrap: anywhere;
      }
      li .icon {
        margin-top: 1px;
      }
      .good > .icon {
        color: var(--good);
      }
      .bad > .icon {
        color: var(--bad);
      }
      .warn > .icon {
        color: var(--warn);
      }
    `];Zs([y({attribute:!1})],it.prototype,"report",2);it=Zs([E("check-report")],it);var Ra=Object.defineProperty,Ua=Object.getOwnPropertyDescriptor,q=(e,t,s,i)=>{for(var n=i>1?void 0:i?Ua(t,s):t,a=e.length-1,o;a>=0;a--)(o=e[a])&&(n=(i?o(t,s,n):o(n))||n);return i&&n&&Ra(t,s,n),n};let U=class extends S{constructor(){super(),this.clipId="",this.clip=null,this.looked=!1,this.failed="",this.broken="",this.heat=!1,this.lengthMs=0,this.ratio="16 / 9",this.report=null,this.checking=!1,this.measured=()=>{const e=this.video;e&&(Number.isFinite(e.duration)&&(this.lengthMs=e.duration*1e3),e.videoWidth>0&&(this.ratio=`${e.videoWidth} / ${e.videoHeight}`))},this.filmFailed=async()=>{const e=this.clipId;try{const t=await M.whyNoVideo(e);if(e!==this.clipId)return;t?.kind==="not-verified"?this.broken=t.message:this.failed=t?.message??r.clip.unplayable}catch(t){e===this.clipId&&(this.failed=j(t))}},this.checkAll=async()=>{const e=this.clipId;this.checking=!0;try{const t=await M.report(e);e===this.clipId&&(this.report=t,t.ok||(this.broken=t.problems.join("; ")||r.clip.report.bad))}catch(t){e===this.clipId&&t instanceof F&&t.kind==="not-verified"?this.broken=t.message:O.say(j(t),{kind:"bad"})}this.checking=!1,await this.load()},this.pin=async()=>{const e=this.clip?.notes;if(e){try{await M.pin(this.clipId,!e.pinned)}catch(t){O.say(j(t),{kind:t instanceof F&&t.kind==="offline"?"warn":"bad"})}await this.load()}},new Z(this,e=>{("clip_id"in e&&e.clip_id===this.clipId||e.type==="clips_forgotten"&&e.clip_ids.includes(this.clipId))&&this.load()})}willUpdate(e){e.has("clipId")&&(this.clip=Us(this.clipId),this.looked=!1,this.broken="",this.failed="",this.report=null,this.lengthMs=0,this.load())}async load(){const e=this.clipId;try{const t=await tn(e);if(e!==this.clipId)return;this.clip=t,this.looked=!0}catch(t){e===this.clipId&&(this.failed=j(t))}}updated(){this.canvas&&this.clip?.notes&&Qs(this.canvas,this.clip.notes.heat)}render(){const e=this.clip;if(!e)return this.none();const t=b.camera(e.camera_id)?.name??"",s=this.broken?{state:"broken",why:this.broken}:e.trust;return l`<div class="head">
        <div class="row title">
          <a class="button quiet square" href="#/events" aria-label=${r.clip.back}>${u("back")}</a>
          <div>
            <h1>${t||r.titles.clip}</h1>
            <p>${V(e.start_ms,!0)}</p>
          </div>
        </div>
        <trust-badge .trust=${s} .atMs=${e.start_ms}></trust-badge>
      </div>
      <div class="layout">
        <div class="stack">
          ${this.failed?l`<div class="note bad">${u("warning")}<div><strong>${r.clip.cannot}</strong><br />${this.failed}</div></div>`:h}
          ${this.film(e)}
          ${e.first_segment>0?l`<div class="note">${u("info")}<div>${r.clip.partial}</div></div>`:h}
          ${this.check()}
        </div>
        <aside class="stack">${this.facts(e,t)}</aside>
      </div>`}none(){return this.failed?l`<div class="note bad">${u("warning")}<div>${this.failed}</div></div>`:this.looked?l`<div class="card empty">
      ${u("events")}
      <h2>${r.clip.unknown}</h2>
      <p>${r.clip.unknownWhy}</p>
      <a href="#/events">${r.clip.back}</a>
    </div>`:l`<p class="soft" role="status">${r.loading}</p>`}film(e){const t=this.broken||(e.trust.state==="broken"?e.trust.why:"");return t?l`<div class="player instead bad" role="alert" data-trust="broken">
        ${u("broken")}<strong>${r.clip.broken}</strong><p>${t}</p><p>${r.clip.brokenWhy}</p>
      </div>`:e.finished?l`<div class="player">
      <div class="stage">
        <video
          controls
          playsinline
          preload="metadata"
          aria-label=${r.clip.player}
          src=${Ls(e.id)}
          @error=${this.filmFailed}
          @loadedmetadata=${this.measured}
        ></video>
        ${this.heat&&e.notes?l`<canvas ${yt({"aspect-ratio":this.ratio})}></canvas>`:h}
      </div>
      ${e.notes?this.strip(e):h}
    </div>`:l`<div class="player instead">${u("cameras")}<strong>${r.clip.recording}</strong><p>${r.clip.recordingWhy}</p></div>`}peakMs(e){const t=Math.max(0,e.duration_ms-this.lengthMs),s=(e.notes?.peak_ms??0)-e.start_ms-(e.first_segment>0?t:0);return Math.min(this.lengthMs,Math.max(0,s))}strip(e){const t=this.peakMs(e);return l`<div class="strip">
      ${this.lengthMs>0?l`<div class="track">
            <button
              class="peak"
              ${yt({left:`${100*t/this.lengthMs}%`})}
              title=${r.clip.toPeak}
              aria-label="${r.clip.toPeak} (${ae(e.notes?.peak_ms??0,!0)})"
              @click=${()=>this.seek(t)}
            ></button>
          </div>`:h}
      <div class="row">
        <button class="chip" @click=${()=>this.seek(t)}>${u("motion")}${r.clip.peak}</button>
        <button class="chip" aria-pressed=${String(this.heat)} @click=${()=>this.heat=!this.heat}>${u("heat")}${r.clip.heat}</button>
      </div>
    </div>`}check(){return l`<section class="card stack">
      <div class="row">
        <button class="primary" ?disabled=${this.checking} @click=${this.checkAll}>
          ${this.checking?l`<span class="spin"></span>`:u("verified")}
          ${this.checking?r.clip.checking:this.report?r.clip.checkAgain:r.clip.check}
        </button>
        <a class="button" href=${Gi(this.clipId)} download title=${r.clip.exportWhy}>${u("download")}${r.clip.export}</a>
        ${this.clip?.notes?l`<button aria-pressed=${String(this.clip.notes.pinned)} title=${r.clip.pinWhy} @click=${this.pin}>
              ${u("pin")}${this.clip.notes.pinned?r.clip.pinned:r.clip.pin}
            </button>`:h}
      </div>
      ${this.report?l`<check-report .report=${this.report}></check-report>`:h}
    </section>`}facts(e,t){const s=r.clip.facts;return l`<dl class="card facts">
      <dt>${s.camera}</dt>
      <dd>${t?l`<a href="#/camera/${e.camera_id}">${t}</a>`:e.camera_id}</dd>
      <dt>${s.start}</dt>
      <dd>${V(e.start_ms,!0)}</dd>
      <dt>${s.length}</dt>
      <dd>${e.finished?ht(e.duration_ms):r.clip.recording}</dd>
      <dt>${s.size}</dt>
      <dd>${e.finished?Fs(e.bytes):"–"}</dd>
      ${e.notes?.zones.length?l`<dt>${s.zones}</dt><dd>${r.events.zones(e.notes.zones)}</dd>`:h}
      ${e.notes?l`<dt>${r.clip.peak}</dt><dd>${ae(e.notes.peak_ms,!0)}</dd>`:h}
      <dt>${s.where}</dt>
      <dd>${e.local?r.clip.here:r.clip.away}</dd>
      <dt>${s.id}</dt>
      <dd class="mono">${e.id}</dd>
    </dl>`}seek(e){this.video&&(this.video.currentTime=e/1e3)}};U.styles=[C,Na];q([y({attribute:!1})],U.prototype,"clipId",2);q([m()],U.prototype,"clip",2);q([m()],U.prototype,"looked",2);q([m()],U.prototype,"failed",2);q([m()],U.prototype,"broken",2);q([m()],U.prototype,"heat",2);q([m()],U.prototype,"lengthMs",2);q([m()],U.prototype,"ratio",2);q([m()],U.prototype,"report",2);q([m()],U.prototype,"checking",2);q([W("video")],U.prototype,"video",2);q([W("canvas")],U.prototype,"canvas",2);U=q([E("page-clip")],U);var Ia=Object.defineProperty,Ha=Object.getOwnPropertyDescriptor,ei=(e,t,s,i)=>{for(var n=i>1?void 0:i?Ha(t,s):t,a=e.length-1,o;a>=0;a--)(o=e[a])&&(n=(i?o(t,s,n):o(n))||n);return i&&n&&Ia(t,s,n),n};function Wa(e){return e.replace(/\s/g,"").match(/.{1,5}/g)??[]}let nt=class extends S{constructor(){super(...arguments),this.number=""}render(){return l`<ol aria-label=${r.devices.safety}>
      ${Wa(this.number).map(e=>l`<li>${e}</li>`)}
    </ol>`}};nt.styles=[C,A`
      ol {
        display: grid;
        grid-template-columns: repeat(4, 1fr);
        gap: 10px 6px;
        background: var(--sunken);
        border-radius: 14px;
        padding: 18px 14px;
        font-family: var(--mono);
        font-size: clamp(0.98rem, 3.6vw, 1.2rem);
        letter-spacing: 0.05em;
        text-align: center;
        max-width: 440px;
      }
    `];ei([y()],nt.prototype,"number",2);nt=ei([E("safety-number")],nt);var qa=Object.defineProperty,Ba=Object.getOwnPropertyDescriptor,Ce=(e,t,s,i)=>{for(var n=i>1?void 0:i?Ba(t,s):t,a=e.length-1,o;a>=0;a--)(o=e[a])&&(n=(i?o(t,s,n):o(n))||n);return i&&n&&qa(t,s,n),n};let le=class extends S{constructor(){super(),this.devices=null,this.failed="",this.sure=null,this.busy="",this.renaming=null,new Z(this,e=>{(e.type==="devices_changed"||e.type==="rejoined")&&this.load()})}connectedCallback(){super.connectedCallback(),this.load()}async load(){try{this.devices=await M.devices(),this.failed=""}catch(e){this.failed=j(e)}}render(){const e=b.state?.safety_number;return l`<div class="head">
        <div>
          <h1>${r.titles.devices}</h1>
          <p>${r.devices.lead}</p>
        </div>
      </div>
      <div class="two">
        <section class="stack">
          ${this.failed?l`<div class="note bad">${u("warning")}<div>${this.failed}</div></div>`:h}
          <ul class="card">
            ${jt(this.devices??[],t=>t.id,t=>this.one(t))}
          </ul>
          <p class="small soft">${r.devices.add}</p>
        </section>
        ${e?l`<section class="card stack safety">
              <div class="row">${u("key")}<h2>${r.devices.safety}</h2></div>
              <safety-number .number=${e}></safety-number>
              <p class="soft">${r.devices.safetyWhy}</p>
              <p class="soft">${r.devices.safetyHow}</p>
            </section>`:h}
      </div>`}one(e){return l`<li>
      <div class="row spread">
        <div class="grow">
          ${this.renaming===e.id?this.renameForm(e):l`<h2>${e.name} ${e.this_device?l`<b>${r.devices.this}</b>`:h}</h2>`}
          <p class="small soft">
            ${r.devices.added(V(e.added_ms))}${e.this_device?h:l` · ${e.last_seen_ms===null?r.devices.unseen:r.devices.seen(Rt(e.last_seen_ms,Date.now()))}`}
          </p>
          <p class="mono print"><span class="hidden-but-read">${r.devices.fingerprint}: </span>${e.fingerprint}</p>
        </div>
        ${this.renaming===e.id||this.sure===e.id?h:l`<div class="row">
              <button aria-label=${r.devices.renameOne(e.name)} @click=${()=>this.renaming=e.id}>
                ${u("pencil")}${r.devices.rename}
              </button>
              ${e.this_device?h:l`<button class="danger" aria-label=${r.devices.removeOne(e.name)} @click=${()=>this.sure=e.id}>
                    ${u("trash")}${r.devices.remove}
                  </button>`}
            </div>`}
      </div>
      ${this.sure===e.id?this.confirm(e):h}
    </li>`}confirm(e){const t=this.busy===e.id;return l`<div class="note bad sure" role="alertdialog" aria-label=${r.devices.removeSure(e.name)}>
      <div class="grow">${r.devices.removeSure(e.name)}</div>
      <div class="row">
        <button ?disabled=${t} @click=${()=>this.sure=null}>${r.cancel}</button>
        <button class="primary danger" ?disabled=${t} @click=${()=>this.removeOne(e)}>
          ${t?l`<span class="spin"></span>${r.devices.removing}`:r.devices.removeDo}
        </button>
      </div>
    </div>`}renameForm(e){return l`<form class="row" @submit=${t=>this.rename(t,e.id)}>
      <input name="name" required maxlength="64" aria-label=${r.devices.renameLabel(e.name)} .value=${e.name} />
      <button class="primary" ?disabled=${this.busy==="rename"}>${r.devices.save}</button>
      <button type="button" class="quiet" @click=${()=>this.renaming=null}>${r.cancel}</button>
    </form>`}async rename(e,t){e.preventDefault();const s=String(new FormData(e.target).get("name")??"").trim();if(s){this.busy="rename";try{await M.renameDevice(t,s),this.renaming=null}catch(i){O.say(j(i),{kind:"bad"})}this.busy="",await Promise.all([this.load(),b.load()])}}async removeOne(e){this.busy=e.id;try{await M.removeDevice(e.id),O.say(r.devices.removed(e.name),{kind:"good"}),this.sure=null}catch(t){O.say(j(t),{kind:"bad"})}this.busy="",await this.load()}};le.styles=[C,A`
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
    `];Ce([m()],le.prototype,"devices",2);Ce([m()],le.prototype,"failed",2);Ce([m()],le.prototype,"sure",2);Ce([m()],le.prototype,"busy",2);Ce([m()],le.prototype,"renaming",2);le=Ce([E("page-devices")],le);function Va(e,t,s,i,n){const a=e.map(o=>o.id);for(const o of t)a.includes(o.camera_id)||a.push(o.camera_id);return a.map(o=>{const d=e.find(f=>f.id===o),c=s.filter(f=>f.camera_id===o).sort((f,$)=>f.at_ms-$.at_ms);return{cameraId:o,name:d?.name??c[0]?.camera??o.slice(0,6),clips:t.filter(f=>f.camera_id===o).sort((f,$)=>f.start_ms-$.start_ms),events:c,offline:Fa(c,d?.online??!0,i,n)}})}function Fa(e,t,s,i){const n=[];let a=null,o=!1;for(const d of e)d.kind==="camera-offline"?(a??=d.at_ms,o=!0):d.kind==="camera-online"&&(a===null&&!o&&(a=s),a!==null&&n.push({from:a,to:d.at_ms}),a=null,o=!0);return a!==null?n.push({from:a,to:i}):!o&&!t&&n.push({from:s,to:i}),n}function Ga(e,t){return e.finished?e.start_ms+e.duration_ms:Math.max(t,e.start_ms)}function ti(e,t,s){const i=s===void 0?e:e.slice(s,s+1);let n=null,a=1/0;for(const o of i.flatMap(d=>d.clips)){const c=t>=o.start_ms&&t<=o.start_ms+o.duration_ms?0:Math.min(Math.abs(t-o.start_ms),Math.abs(t-o.start_ms-o.duration_ms));c<a&&(n=o,a=c)}return n}function Ka(e,t,s){const i=e.flatMap(c=>c.clips).sort((c,f)=>c.start_ms-f.start_ms||c.id.localeCompare(f.id)),[n,a]=[i[0]??null,i[i.length-1]??null];if(s==="first")return n;if(s==="last"||!t)return a;const o=i.findIndex(c=>c.id===t.id);if(o<0)return a;if(s==="older")return i[Math.max(0,o-1)]??null;if(s==="newer")return i[Math.min(i.length-1,o+1)]??null;const d=s==="up"?-1:1;for(let c=e.findIndex(f=>f.cameraId===t.camera_id)+d;c>=0&&c<e.length;c+=d){const f=ti(e,t.start_ms,c);if(f)return f}return t}const Ya=A`
  .failed {
    margin-bottom: 16px;
  }
  .timeline {
    display: flex;
    gap: 28px;
    align-items: flex-start;
    max-width: 1400px;
  }
  .preview {
    width: 300px;
    flex: none;
    gap: 12px;
    align-content: start;
  }
  .preview.none {
    aspect-ratio: 16 / 9;
    border-radius: 12px;
    background: var(--sunken);
    display: grid;
    place-items: center;
    padding: 20px;
    text-align: center;
  }
  .preview .row {
    flex-wrap: nowrap;
    align-items: start;
  }
  .preview .chip {
    justify-self: start;
  }
  .picture {
    position: relative;
  }
  .picture a {
    position: absolute;
    inset: 0;
    border-radius: 12px;
  }
  clip-picture {
    border-radius: 12px;
  }
  .play {
    position: absolute;
    left: 10px;
    bottom: 10px;
    width: 38px;
    height: 38px;
    border-radius: 50%;
    display: grid;
    place-items: center;
    background: rgb(10 14 10 / 62%);
    color: #fff;
  }
  .picture:hover .play {
    background: var(--accent);
    color: var(--on-accent);
  }
  .legend {
    gap: 6px 18px;
    font-size: 0.82rem;
    color: var(--ink-2);
  }
  .legend li {
    display: flex;
    align-items: center;
    gap: 7px;
  }
  .legend li:not(.plain)::before {
    content: '';
    width: 14px;
    height: 10px;
    border-radius: 3px;
    background: var(--accent);
  }
  .legend .pinned::before {
    width: 6px !important;
    height: 6px !important;
    border-radius: 50% !important;
  }
  .legend .broken::before {
    background: var(--bad) !important;
  }
  .legend .offline::before {
    background: repeating-linear-gradient(-45deg, var(--warn) 0 1.5px, transparent 1.5px 4px) !important;
  }
  .list {
    margin-top: 26px;
    max-width: 900px;
  }
  .list > button {
    margin-top: 14px;
  }
  @media (max-width: 1080px) {
    .timeline {
      flex-direction: column;
      gap: 18px;
    }
    .timeline > .grow {
      width: 100%;
    }
    .preview {
      width: min(100%, 420px);
    }
  }
  @media (max-width: 560px) {
    .timeline {
      padding: 16px;
    }
    .hint {
      display: none;
    }
    .preview {
      width: 100%;
    }
  }
`,Ja=36e5,bt=[1,2,3,6,12,24,48],Xa=62;function ie(e,t){return(t-e.from)/(e.to-e.from)*e.width}function Qa(e,t){return e.from+t/e.width*(e.to-e.from)}function Za(e){const t=Ja/(e.to-e.from)*e.width,s=bt.find(a=>a*t>=Xa)??bt[bt.length-1]??48,i=new Date(e.from);i.setMinutes(0,0,0),s>=24?i.setHours(0):i.setHours(Math.floor(i.getHours()/s)*s);const n=[];for(let a=0;i.getTime()<=e.to&&a<500;a+=1){const o=i.getTime();if(o>=e.from){const d=i.getHours()===0,c=d?i.toLocaleDateString("en-GB",{weekday:"short",day:"numeric"}):i.toLocaleTimeString("en-GB",{hour:"2-digit",minute:"2-digit"});n.push({atMs:o,label:c,strong:d})}s>=24?i.setDate(i.getDate()+s/24):i.setHours(i.getHours()+s)}return n}const Ne=26,Wt=46,er=16,Q=18,tr=4;function si(e){return Ne+Math.max(1,e)*Wt+4}function sr(e,t,s){const{scale:i,rows:n}=t,a=si(n.length);e.clearRect(0,0,i.width,a),e.font=`12px ${s.font}`,e.textBaseline="middle";for(const o of Za(i)){const d=Math.round(ie(i,o.atMs))+.5;e.strokeStyle=s.line,e.globalAlpha=o.strong?1:.6,_t(e,d,Ne-4,d,a),e.globalAlpha=1,e.fillStyle=o.strong?s.ink:s.soft;const c=e.measureText(o.label).width;d+c/2<i.width&&d-c/2>0&&e.fillText(o.label,d-c/2,10)}n.forEach((o,d)=>ir(e,t,o,Ne+d*Wt,s)),t.pointer!==null&&(e.strokeStyle=s.soft,_t(e,Math.round(t.pointer)+.5,Ne-4,Math.round(t.pointer)+.5,a))}function ir(e,t,s,i,n){const{scale:a}=t,o=i+er+4;e.fillStyle=n.track,wt(e,0,o,a.width,Q,6),e.fill();for(const d of s.offline)nr(e,Math.max(0,ie(a,d.from)),Math.min(a.width,ie(a,d.to)),o,n);for(const d of s.clips){const c=ie(a,d.start_ms),f=Math.max(tr,ie(a,Ga(d,t.now))-c);if(c+f<0||c>a.width)continue;const $=t.chosen?.id===d.id;e.fillStyle=d.trust.state==="broken"?n.bad:n.accent,e.globalAlpha=d.trust.state==="verified"||$?1:.75,wt(e,c,o,f,Q,Math.min(4,f/2)),e.fill(),e.globalAlpha=1,d.notes?.pinned&&(e.beginPath(),e.arc(c+f/2,o+Q+4,2.2,0,Math.PI*2),e.fill()),$&&(e.strokeStyle=n.ink,e.lineWidth=2,wt(e,c-3,o-3,f+6,Q+6,6),e.stroke(),e.lineWidth=1)}for(const d of s.events)d.kind==="motion"||d.severity==="info"||ar(e,ie(a,d.at_ms),o+Q/2,d.severity==="alarm"?n.bad:n.warn,n.surface);e.fillStyle=n.soft,e.fillText(s.name,0,i+9,a.width)}function nr(e,t,s,i,n){if(!(s<=t)){e.save(),e.beginPath(),e.rect(t,i,s-t,Q),e.clip(),e.fillStyle=n.surface,e.fill(),e.strokeStyle=n.warn,e.globalAlpha=.7;for(let a=t-Q;a<s;a+=6)_t(e,a,i+Q,a+Q,i);e.restore()}}function ar(e,t,s,i,n){e.beginPath(),e.moveTo(t,s-6),e.lineTo(t+6,s),e.lineTo(t,s+6),e.lineTo(t-6,s),e.closePath(),e.fillStyle=i,e.strokeStyle=n,e.lineWidth=2,e.stroke(),e.fill(),e.lineWidth=1}function _t(e,t,s,i,n){e.beginPath(),e.moveTo(t,s),e.lineTo(i,n),e.stroke()}function wt(e,t,s,i,n,a){e.beginPath(),e.roundRect(t,s,i,n,a)}var rr=Object.defineProperty,or=Object.getOwnPropertyDescriptor,de=(e,t,s,i)=>{for(var n=i>1?void 0:i?or(t,s):t,a=e.length-1,o;a>=0;a--)(o=e[a])&&(n=(i?o(t,s,n):o(n))||n);return i&&n&&rr(t,s,n),n};const lr={ArrowLeft:"older",ArrowRight:"newer",ArrowUp:"up",ArrowDown:"down",Home:"first",End:"last"},cr=24;let Y=class extends S{constructor(){super(...arguments),this.rows=[],this.from=0,this.to=1,this.chosen=null,this.width=0,this.pointer=null,this.sizes=new ResizeObserver(([e])=>{e&&(this.width=Math.floor(e.contentRect.width))}),this.redraw=()=>this.requestUpdate(),this.key=e=>{if(e.ctrlKey||e.metaKey||e.altKey)return;if(e.key==="Enter"){e.preventDefault(),this.play();return}const t=lr[e.key];t&&(e.preventDefault(),this.choose(Ka(this.rows,this.chosen,t)))},this.down=e=>{this.canvas.setPointerCapture(e.pointerId),this.canvas.focus({preventScroll:!0}),this.point(e,!0)},this.move=e=>this.point(e,e.buttons>0),this.play=()=>{this.chosen&&this.dispatchEvent(new CustomEvent("play",{detail:this.chosen}))}}connectedCallback(){super.connectedCallback(),this.sizes.observe(this),H.addEventListener("change",this.redraw)}disconnectedCallback(){super.disconnectedCallback(),this.sizes.disconnect(),H.removeEventListener("change",this.redraw)}render(){const e=this.rows.flatMap(s=>s.clips).sort((s,i)=>s.start_ms-i.start_ms),t=e.findIndex(s=>s.id===this.chosen?.id);return l`<canvas
      tabindex="0"
      role="slider"
      aria-label=${r.events.timeline}
      aria-valuemin="0"
      aria-valuemax=${Math.max(0,e.length-1)}
      aria-valuenow=${Math.max(0,t)}
      aria-valuetext=${this.inWords()}
      @keydown=${this.key}
      @pointerdown=${this.down}
      @pointermove=${this.move}
      @pointerleave=${()=>this.pointer=null}
      @dblclick=${this.play}
    ></canvas>`}updated(){const e=this.canvas,t=e.getContext("2d");if(!t||this.width===0)return;const s=devicePixelRatio||1,i=si(this.rows.length);e.width=this.width*s,e.height=i*s,e.style.setProperty("height",`${i}px`),t.setTransform(s,0,0,s,0,0);const n=getComputedStyle(this),a=o=>n.getPropertyValue(o).trim();sr(t,{scale:this.scale,rows:this.rows,chosen:this.chosen,now:Date.now(),pointer:this.pointer},{ink:a("--ink"),soft:a("--ink-2"),line:a("--line"),track:a("--sunken"),accent:a("--accent"),bad:a("--bad"),warn:a("--warn"),surface:a("--surface"),font:a("--font")})}get scale(){return{from:this.from,to:this.to,width:this.width}}inWords(){const e=this.chosen;if(!e)return r.events.pick;const t=this.rows.find(i=>i.cameraId===e.camera_id)?.name??"",s=e.finished?ht(e.duration_ms):r.events.recording;return r.events.clipAt(t,V(e.start_ms,!0),s)}point(e,t){const s=this.canvas.getBoundingClientRect(),i=Math.min(this.width,Math.max(0,e.clientX-s.left));this.pointer=i;const n=Math.floor((e.clientY-s.top-Ne)/Wt),a=n>=0&&n<this.rows.length,o=ti(this.rows,Qa(this.scale,i),a?n:void 0);if(!o)return;const d=ie(this.scale,o.start_ms),c=ie(this.scale,o.start_ms+o.duration_ms),f=i<d?d-i:Math.max(0,i-c);(t||f<=cr)&&this.choose(o)}choose(e){!e||e.id===this.chosen?.id||(this.chosen=e,this.dispatchEvent(new CustomEvent("choose",{detail:e})))}};Y.styles=[C,A`
      canvas {
        width: 100%;
        display: block;
        cursor: crosshair;
        touch-action: pan-y;
        -webkit-user-select: none;
        user-select: none;
      }
      canvas:focus-visible {
        outline-offset: 6px;
        border-radius: 6px;
      }
    `];de([y({attribute:!1})],Y.prototype,"rows",2);de([y({attribute:!1})],Y.prototype,"from",2);de([y({attribute:!1})],Y.prototype,"to",2);de([y({attribute:!1})],Y.prototype,"chosen",2);de([m()],Y.prototype,"width",2);de([m()],Y.prototype,"pointer",2);de([W("canvas")],Y.prototype,"canvas",2);Y=de([E("time-strip")],Y);var dr=Object.defineProperty,hr=Object.getOwnPropertyDescriptor,B=(e,t,s,i)=>{for(var n=i>1?void 0:i?hr(t,s):t,a=e.length-1,o;a>=0;a--)(o=e[a])&&(n=(i?o(t,s,n):o(n))||n);return i&&n&&dr(t,s,n),n};const _s={day:He,week:7*He},Ms=40,pr=400,ur=.012;let I=class extends S{constructor(){super(),this.range="day",this.camera=null,this.to=Date.now(),this.clips=null,this.told=[],this.more=!1,this.events=[],this.next=null,this.chosen=null,this.heat=!0,this.failed="",this.round=0,this.asked=0,new Z(this,({type:e})=>{["happened","clip_started","clip_ready","clip_notes","clips_forgotten","rejoined","missed"].includes(e)&&(this.soon??=setTimeout(()=>void this.load(),pr))})}connectedCallback(){super.connectedCallback(),this.load()}disconnectedCallback(){super.disconnectedCallback(),clearTimeout(this.soon)}async load(){clearTimeout(this.soon),this.soon=void 0,this.asked+=1;const e=this.asked,t=Date.now(),s=t-_s[this.range],i=this.camera??void 0;try{const[n,a,o]=await Promise.all([rs(s,t,i),en(s,t,i),M.events({camera:i,limit:Ms})]);if(e!==this.asked)return;this.to=t,this.clips=n.clips,this.more=n.more,this.told=a,this.events=o.events,this.next=o.next,this.failed="",this.chosen=n.clips.find(d=>d.id===this.chosen?.id)??n.clips.find(d=>d.finished)??n.clips[0]??null}catch(n){e===this.asked&&(this.failed=j(n))}this.round+=1}async older(){if(this.next){try{const e=await M.events({camera:this.camera??void 0,page:this.next,limit:Ms});this.next=e.next;const t=e.events.at(-1)?.at_ms,s=e.events[0]?.at_ms;t!==void 0&&s!==void 0&&await rs(t-12e4,s+1,this.camera??void 0),this.events=[...this.events,...e.events]}catch(e){this.failed=j(e)}this.round+=1}}render(){const e=this.to-_s[this.range],t=b.cameras.filter(i=>this.camera===null||i.id===this.camera),s=Va(t,this.clips??[],this.told,e,this.to);return l`<div class="head">
        <div>
          <h1>${r.titles.events}</h1>
          <p>${r.events.lead}</p>
        </div>
        <div class="row" role="group" aria-label=${r.events.filter}>
          ${this.chip(null,r.events.allCameras)} ${b.cameras.map(i=>this.chip(i.id,i.name))}
        </div>
      </div>
      ${this.failed?l`<div class="note bad failed">${u("warning")}<div>${this.failed}</div></div>`:h}
      <section class="card timeline">
        <div class="grow stack">
          <div class="row spread">
            <div class="segmented" role="group" aria-label=${r.events.range}>
              ${["day","week"].map(i=>l`<button aria-pressed=${String(this.range===i)} @click=${()=>this.setRange(i)}>${r.events[i]}</button>`)}
            </div>
            <p class="small soft hint">${r.events.hint}</p>
          </div>
          <time-strip
            .rows=${s}
            .from=${e}
            .to=${this.to+(this.to-e)*ur}
            .chosen=${this.chosen}
            @choose=${i=>this.chosen=i.detail}
            @play=${i=>location.hash=Ue({page:"clip",id:i.detail.id})}
          ></time-strip>
          ${this.legend(s)}
        </div>
        ${this.preview(s)}
      </section>
      <section class="list">
        <event-list .events=${this.events} .round=${this.round}></event-list>
        ${this.next?l`<button @click=${this.older}>${r.more}</button>`:h}
      </section>`}chip(e,t){return l`<button class="chip" aria-pressed=${String(this.camera===e)} @click=${()=>this.setCamera(e)}>${t}</button>`}setCamera(e){this.camera=e,this.load()}setRange(e){this.range=e,this.load()}legend(e){const t={clip:!0,pinned:e.some(s=>s.clips.some(i=>i.notes?.pinned)),broken:e.some(s=>s.clips.some(i=>i.trust.state==="broken")),offline:e.some(s=>s.offline.length>0)};return l`<ul class="row legend">
      ${["clip","pinned","broken","offline"].map(s=>t[s]?l`<li class=${s}>${r.events.legend[s]}</li>`:h)}
      ${this.more?l`<li class="plain">${r.events.tooMany}</li>`:h}
    </ul>`}preview(e){const t=this.chosen;if(!t)return l`<div class="preview none"><p class="soft">${this.clips===null?r.loading:r.events.noClips}</p></div>`;const s=e.find(n=>n.cameraId===t.camera_id)?.name??"",i=t.finished?ht(t.duration_ms):r.events.recording;return l`<div class="preview stack">
      <div class="picture">
        <clip-picture badge .clip=${t} ?heat=${this.heat}></clip-picture>
        <a href=${Ue({page:"clip",id:t.id})} aria-label="${r.events.play}: ${r.events.clipAt(s,V(t.start_ms),i)}">
          <span class="play">${u("play")}</span>
        </a>
      </div>
      <div class="row spread">
        <div>
          <h2>${s}</h2>
          <p class="small soft">${ae(t.start_ms,!0)} · ${i}${t.notes?.zones.length?l` · ${r.events.zones(t.notes.zones)}`:h}</p>
        </div>
        <trust-badge of=${r.titles.clip} .trust=${t.trust} .atMs=${t.start_ms}></trust-badge>
      </div>
      <button class="chip" aria-pressed=${String(this.heat)} ?disabled=${!t.notes} @click=${()=>this.heat=!this.heat}>
        ${u("heat")}${r.events.heat}
      </button>
    </div>`}};I.styles=[C,Ya];B([m()],I.prototype,"range",2);B([m()],I.prototype,"camera",2);B([m()],I.prototype,"to",2);B([m()],I.prototype,"clips",2);B([m()],I.prototype,"told",2);B([m()],I.prototype,"more",2);B([m()],I.prototype,"events",2);B([m()],I.prototype,"next",2);B([m()],I.prototype,"chosen",2);B([m()],I.prototype,"heat",2);B([m()],I.prototype,"failed",2);B([m()],I.prototype,"round",2);I=B([E("page-events")],I);var fr=Object.defineProperty,mr=Object.getOwnPropertyDescriptor,ii=(e,t,s,i)=>{for(var n=i>1?void 0:i?mr(t,s):t,a=e.length-1,o;a>=0;a--)(o=e[a])&&(n=(i?o(t,s,n):o(n))||n);return i&&n&&fr(t,s,n),n};let at=class extends S{constructor(){super(),this.fresh=new Set,new Z(this)}connectedCallback(){super.connectedCallback(),this.timer=setInterval(()=>this.requestUpdate(),5e3)}disconnectedCallback(){super.disconnectedCallback(),clearInterval(this.timer)}willUpdate(){for(const e of this.alerts.list)this.alerts.isNew(e)&&this.fresh.add(e.at_ms)}updated(){document.visibilityState==="visible"&&this.alerts.seen()}render(){const e=b.state;if(!e)return h;const t=this.alerts.list,s=Date.now(),i=e.link==="relay"?"good":e.link==="refused"?"bad":"warn";return l`<div class="head">
        <div>
          <h1>${r.titles.health}</h1>
          <p>${r.health.lead}</p>
        </div>
      </div>
      <div class="two">
        <section class="card stack">
          <div class="note ${i}">
            ${u(e.link==="relay"?"check":"warning")}
            <div><strong>${r.link[e.link]}</strong>${e.link_reason?l`<br />${e.link_reason}`:h}</div>
          </div>
          ${b.failed?l`<div class="note bad">${u("warning")}<div>${b.failed}</div></div>`:h}
          <dl class="facts">
            <dt>${r.health.hub}</dt>
            <dd>${e.hub_name}</dd>
            <dt>${r.health.hubSeen}</dt>
            <dd>${e.hub_seen_ms===null?r.health.never:Rt(e.hub_seen_ms,s)}</dd>
            <dt>${r.health.relay}</dt>
            <dd class="mono">${e.relay}</dd>
            <dt>${r.health.log}</dt>
            <dd>${e.caught_up?r.health.caughtUp:r.health.behind}</dd>
            <dt>${r.health.outbox}</dt>
            <dd>${e.outbox===0?r.health.outboxNone:r.health.messages(e.outbox)}</dd>
            <dt>${r.health.notifications}</dt>
            <dd>${e.notifications??r.health.notificationsFine}</dd>
            <dt>${r.health.cache}</dt>
            <dd>${Fs(e.cache_bytes)}</dd>
            <dt>${r.health.device}</dt>
            <dd>${e.device_name}</dd>
            <dt>${r.health.version}</dt>
            <dd>${e.version}</dd>
          </dl>
        </section>
        <section class="card stack">
          <h2>${r.health.alerts}</h2>
          ${t.length===0?l`<div class="note good">${u("verified")}<div>${r.health.noAlerts}</div></div>`:l`<ul>
                ${t.map(n=>l`<li>
                    ${u("warning")}
                    <div class="grow">
                      <p>${n.what}</p>
                      <p class="small soft">
                        ${V(n.at_ms,!0)} ${this.fresh.has(n.at_ms)?l`<b>${r.health.new}</b>`:h}
                      </p>
                    </div>
                  </li>`)}
              </ul>`}
        </section>
      </div>`}};at.styles=[C,A`
      .two {
        display: grid;
        gap: 20px;
        align-items: start;
        grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr));
        max-width: 1200px;
      }
      li {
        display: flex;
        gap: 12px;
        padding: 13px 0;
        border-top: 1px solid var(--line);
        overflow-wrap: anywhere;
      }
      li:first-child {
        border: 0;
        padding-top: 0;
      }
      li .icon {
        color: var(--bad);
        margin-top: 1px;
      }
      b {
        margin-left: 6px;
        padding: 1px 8px;
        border-radius: 9px;
        background: var(--bad-soft);
        color: var(--bad);
        font-weight: 600;
      }
    `];ii([y({attribute:!1})],at.prototype,"alerts",2);at=ii([E("page-health")],at);var gr=Object.defineProperty,vr=Object.getOwnPropertyDescriptor,qt=(e,t,s,i)=>{for(var n=i>1?void 0:i?vr(t,s):t,a=e.length-1,o;a>=0;a--)(o=e[a])&&(n=(i?o(t,s,n):o(n))||n);return i&&n&&gr(t,s,n),n};const ni=A`
  :host {
    min-height: 100dvh;
    display: grid;
    place-items: center;
    padding: 24px;
  }
  main {
    width: min(560px, 100%);
    display: grid;
    gap: 18px;
    padding: clamp(24px, 5vw, 44px);
    border-radius: 24px;
  }
  .sign {
    width: 68px;
    height: 68px;
    border-radius: 20px;
    display: grid;
    place-items: center;
    background: var(--warn-soft);
    color: var(--warn);
  }
  .sign.bad {
    background: var(--bad-soft);
    color: var(--bad);
  }
  .sign .icon {
    width: 2.2rem;
    height: 2.2rem;
  }
  .brand {
    color: var(--ink-3);
    font-weight: 600;
    gap: 8px;
  }
  .mark {
    width: 22px;
    color: var(--accent);
  }
`;function ai(e,t,s,i,n){return l`<main class="card" role="alert">
    <span class="sign ${t}">${u(e)}</span>
    <h1>${s}</h1>
    ${i}
    <div class="row spread">
      ${n}
      <span class="row brand">${tt()}${r.name}</span>
    </div>
  </main>`}let rt=class extends S{constructor(){super(),this.asking=!1,this.again=async()=>{this.asking=!0,await b.load(),this.asking=!1},new Z(this)}render(){const e=b.lost?.why==="stranger",t=l`<p class="soft">${e?r.lost.strangerWhy:r.lost.goneWhy}</p>
      <p class="soft">${e?r.lost.strangerDo:r.lost.goneDo}</p>
      ${b.lost?.said?l`<p class="small soft">${r.lost.said} <span class="mono">${b.lost.said}</span></p>`:h}`,s=l`<button class="primary" ?disabled=${this.asking} @click=${this.again}>
      ${this.asking?l`<span class="spin"></span>`:h}${r.tryAgain}
    </button>`;return ai(e?"key":"unplugged","",e?r.lost.stranger:r.lost.gone,t,s)}};rt.styles=[C,ni];qt([m()],rt.prototype,"asking",2);rt=qt([E("page-lost")],rt);let Mt=class extends S{render(){const e=l`<p class="soft">${r.removed.why}</p>
      <p class="soft">${r.removed.what}</p>`,t=l`<button @click=${()=>this.dispatchEvent(new Event("again"))}>${r.removed.again}</button>`;return ai("key","bad",r.removed.title,e,t)}};Mt.styles=[C,ni];Mt=qt([E("page-removed")],Mt);var br=Object.defineProperty,wr=Object.getOwnPropertyDescriptor,Bt=(e,t,s,i)=>{for(var n=i>1?void 0:i?wr(t,s):t,a=e.length-1,o;a>=0;a--)(o=e[a])&&(n=(i?o(t,s,n):o(n))||n);return i&&n&&br(t,s,n),n};let Ve=class extends S{constructor(){super(...arguments),this.name="",this.addZone=e=>{e.preventDefault();const t=e.target,s=String(new FormData(t).get("zone")??"").trim();s&&!this.wish.zones.includes(s)&&this.set(e,{zones:[...this.wish.zones,s]}),t.reset()},this.again=e=>{e.stopPropagation(),this.dispatchEvent(new CustomEvent("change"))}}render(){const e=this.wish,t=[...new Set([...Object.keys(r.settings.cooldowns).map(Number),e.cooldown_s])].sort((s,i)=>s-i);return l`<article class="card stack" aria-label=${this.name}>
      <div class="row spread">
        <h3>${this.name}</h3>
        <snooze-menu .cameraId=${e.camera_id} .name=${this.name} .untilMs=${e.snooze_until_ms} @change=${this.again}></snooze-menu>
      </div>
      <div class="two">
        ${this.toggle("notify",r.settings.notify)} ${this.toggle("health",r.settings.health)}
      </div>
      <label class="line">
        <span class="grow">${r.settings.cooldown}</span>
        <select ?disabled=${!e.notify} @change=${s=>this.set(s,{cooldown_s:Number(s.target.value)})}>
          ${t.map(s=>l`<option value=${s} ?selected=${s===e.cooldown_s}>${r.settings.cooldowns[s]??r.settings.seconds(s)}</option>`)}
        </select>
      </label>
      <div class="line zones">
        <span class="grow">${r.settings.zones}</span>
        <div class="row">
          ${e.zones.length===0?l`<span class="small soft">${r.settings.zonesNone}</span>`:""}
          ${e.zones.map(s=>l`<span class="zone">${s}<button
                class="quiet square"
                aria-label=${r.settings.zoneRemove(s)}
                @click=${i=>this.set(i,{zones:e.zones.filter(n=>n!==s)})}
              >${u("close")}</button></span>`)}
          <form @submit=${this.addZone}>
            <input name="zone" maxlength="64" size="10" placeholder=${r.settings.zoneAdd} aria-label=${r.settings.zoneAdd} />
          </form>
        </div>
      </div>
    </article>`}toggle(e,t){return l`<label class="line">
      <span class="grow">${t}</span>
      <input
        class="switch"
        type="checkbox"
        role="switch"
        .checked=${this.wish[e]}
        @change=${s=>this.set(s,{[e]:s.target.checked})}
      />
    </label>`}set(e,t){e.stopPropagation(),this.dispatchEvent(new CustomEvent("change",{detail:{...this.wish,...t}}))}};Ve.styles=[C,A`
      .card {
        gap: 12px;
      }
      .two {
        display: grid;
        gap: 8px 32px;
        grid-template-columns: repeat(auto-fit, minmax(min(100%, 240px), 1fr));
      }
      .line {
        display: flex;
        align-items: center;
        gap: 10px 16px;
        min-height: 40px;
      }
      .zones {
        flex-wrap: wrap;
      }
      .zone {
        display: inline-flex;
        align-items: center;
        gap: 2px;
        padding-left: 12px;
        border-radius: 17px;
        background: var(--accent-soft);
        color: var(--accent-strong);
        font-size: 0.9rem;
      }
      .zone button {
        width: 30px;
        min-height: 34px;
        color: inherit;
      }
      .zone .icon {
        width: 0.95rem;
      }
      form {
        display: inline;
      }
      form input {
        min-height: 36px;
        padding: 4px 10px;
        font-size: 0.92rem;
      }
    `];Bt([y()],Ve.prototype,"name",2);Bt([y({attribute:!1})],Ve.prototype,"wish",2);Ve=Bt([E("camera-wishes")],Ve);var $r=Object.defineProperty,yr=Object.getOwnPropertyDescriptor,ri=(e,t,s,i)=>{for(var n=i>1?void 0:i?yr(t,s):t,a=e.length-1,o;a>=0;a--)(o=e[a])&&(n=(i?o(t,s,n):o(n))||n);return i&&n&&$r(t,s,n),n};const xr=16,kr={days:127,from_min:1320,to_min:420};function _r(e){const t=/^(\d\d):(\d\d)$/.exec(e);return t?Number(t[1])*60+Number(t[2]):null}let ot=class extends S{constructor(){super(...arguments),this.hours=[]}render(){return l`<div class="row spread">
        <div>
          <h3>${r.settings.quiet}</h3>
          <p class="small soft">${r.settings.quietWhy}</p>
        </div>
        <button ?disabled=${this.hours.length>=xr} @click=${()=>this.tell([...this.hours,kr])}>${u("plus")}${r.settings.quietAdd}</button>
      </div>
      ${this.hours.length===0?l`<p class="small soft">${r.settings.quietNone}</p>`:h}
      <ul>
        ${this.hours.map((e,t)=>l`<li>${this.one(e,t)}</li>`)}
      </ul>`}one(e,t){const s=n=>this.tell(this.hours.map((a,o)=>o===t?{...a,...n}:a)),i=n=>_r(n.target.value);return l`<div class="days" role="group" aria-label=${r.settings.quietDays}>
        ${r.settings.days.map((n,a)=>{const o=(e.days&1<<a)!==0;return l`<button class="chip" aria-pressed=${String(o)} @click=${()=>s({days:e.days^1<<a})}>${n}</button>`})}
      </div>
      <div class="row times">
        <label>${r.settings.quietFrom} <input type="time" .value=${fs(e.from_min)} @change=${n=>s({from_min:i(n)??e.from_min})} /></label>
        <label>${r.settings.quietTo} <input type="time" .value=${fs(e.to_min%1440)} @change=${n=>s({to_min:i(n)??e.to_min})} /></label>
        ${e.to_min<=e.from_min?l`<span class="small soft">${r.settings.quietNext}</span>`:h}
        <span class="grow"></span>
        <button class="quiet square" aria-label=${r.settings.quietRemove} title=${r.settings.quietRemove} @click=${()=>this.tell(this.hours.filter((n,a)=>a!==t))}>
          ${u("trash")}
        </button>
      </div>`}tell(e){this.dispatchEvent(new CustomEvent("change",{detail:e}))}};ot.styles=[C,A`
      :host {
        display: grid;
        gap: 12px;
      }
      li {
        display: grid;
        gap: 10px;
        padding: 14px;
        border-radius: 14px;
        background: var(--sunken);
      }
      li + li {
        margin-top: 10px;
      }
      .days {
        display: flex;
        gap: 6px;
        flex-wrap: wrap;
      }
      .days .chip {
        min-width: 46px;
        padding: 0 8px;
      }
      .times label {
        display: inline-flex;
        align-items: center;
        gap: 8px;
      }
    `];ri([y({attribute:!1})],ot.prototype,"hours",2);ot=ri([E("quiet-hours")],ot);var Mr=Object.defineProperty,Sr=Object.getOwnPropertyDescriptor,Ke=(e,t,s,i)=>{for(var n=i>1?void 0:i?Sr(t,s):t,a=e.length-1,o;a>=0;a--)(o=e[a])&&(n=(i?o(t,s,n):o(n))||n);return i&&n&&Mr(t,s,n),n};let be=class extends S{constructor(){super(),this.known=null,this.draft=null,this.saving=!1,this.failed="",this.load=async()=>{try{const e=this.dirty;this.known=await M.settings(),this.failed="";const t=this.base;!e||!this.draft||!t?this.draft=structuredClone(t):this.draft={...this.draft,profile:t.profile,cameras:Pr(this.draft.cameras,t.cameras)}}catch(e){this.failed=j(e)}},this.save=async()=>{const e=this.draft;if(!e)return;this.saving=!0;const t=await this.ask(()=>M.putSettings({...e,profile:null}));t==="kept"&&O.say(r.settings.saved,{kind:"good"}),t!=="refused"&&(this.draft=null),this.saving=!1,await this.load()},this.askPermission=async()=>{await Notification.requestPermission(),this.requestUpdate()},new Z(this,({type:e})=>{(e==="wishes_changed"||e==="cameras_changed"||e==="rejoined")&&this.load()})}connectedCallback(){super.connectedCallback(),this.load()}get base(){return this.known?this.known.pending??this.known.kept:null}get dirty(){return this.draft!==null&&JSON.stringify(this.draft)!==JSON.stringify(this.base)}change(e){this.draft&&(this.draft={...this.draft,...e})}render(){const e=this.draft;return l`<div class="head">
        <div>
          <h1>${r.titles.settings}</h1>
          <p>${r.settings.lead}</p>
        </div>
        ${e?l`<snooze-menu .cameraId=${null} name=${r.settings.cameras} @change=${this.load}></snooze-menu>`:h}
      </div>
      <div class="column">
        ${this.failed?l`<div class="note bad" role="alert">${u("warning")}<div>${this.failed}</div></div>`:h}
        ${this.known?.pending?l`<div class="note warn" role="status" data-pending>${u("pending")}<div>${r.settings.pending}</div></div>`:h}
        ${this.known&&!this.known.known?l`<div class="note">${u("info")}<div>${r.settings.unknown}</div></div>`:h}
        ${e?[this.profile(e),this.when(e),this.cameras(e)]:h} ${this.browser()}
      </div>
      ${this.dirty?this.saveBar():h}`}profile(e){return l`<section class="card line">
      <div class="grow">
        <h2>${r.settings.profile}</h2>
        <p class="small soft">${r.settings.profileWhy}</p>
      </div>
      <div class="segmented" role="group" aria-label=${r.settings.profile}>
        ${["home","away"].map(t=>l`<button aria-pressed=${String(e.profile===t)} @click=${()=>this.setProfile(t)}>
            ${u(t)}${r.settings[t]}
          </button>`)}
      </div>
    </section>`}when(e){const t=["",...Intl.supportedValuesOf("timeZone")];return t.includes(e.time_zone)||t.push(e.time_zone),l`<section class="card stack">
      <h2>${r.settings.told}</h2>
      <label class="line">
        <span class="grow">${r.settings.awayOnly}</span>
        <input
          class="switch"
          type="checkbox"
          role="switch"
          .checked=${e.away_only}
          @change=${s=>this.change({away_only:s.target.checked})}
        />
      </label>
      <hr />
      <quiet-hours
        .hours=${e.quiet}
        @change=${s=>{s.stopPropagation(),this.change({quiet:s.detail})}}
      ></quiet-hours>
      <label class="line zone">
        <span class="grow">${r.settings.zone}</span>
        <select @change=${s=>this.change({time_zone:s.target.value})}>
          ${t.map(s=>l`<option value=${s} ?selected=${s===e.time_zone}>${s===""?r.settings.zoneUtc:s.replaceAll("_"," ")}</option>`)}
        </select>
      </label>
    </section>`}cameras(e){return l`<section class="stack">
      <h2 class="group">${r.settings.cameras}</h2>
      <div class="cameras">
        ${e.cameras.map(t=>l`<camera-wishes
            .name=${b.camera(t.camera_id)?.name??t.camera_id}
            .wish=${t}
            @change=${s=>{s.stopPropagation(),s.detail?this.change({cameras:e.cameras.map(i=>i.camera_id===t.camera_id?s.detail:i)}):this.load()}}
          ></camera-wishes>`)}
      </div>
    </section>`}browser(){const e=Hs(),t={granted:r.settings.notificationsOn,denied:r.settings.notificationsDenied,none:r.settings.notificationsNone,default:""}[e];return l`<section class="stack">
      <h2 class="group">${r.settings.browser}</h2>
      <div class="card stack">
        <div class="line">
          <div class="grow">
            <h3>${r.settings.notifications}</h3>
            <p class="small soft">${r.settings.notificationsWhy}</p>
          </div>
          ${e==="default"?l`<button @click=${this.askPermission}>${r.settings.notificationsAsk}</button>`:l`<span class="small soft">${t}</span>`}
        </div>
        <hr />
        <div class="line">
          <h3 class="grow">${r.theme.label}</h3>
          <div class="segmented" role="group" aria-label=${r.theme.label}>
            ${["system","light","dark"].map(s=>l`<button
                aria-pressed=${String(H.choice===s)}
                @click=${()=>{H.choose(s),this.requestUpdate()}}
              >
                ${r.theme[s]}
              </button>`)}
          </div>
        </div>
      </div>
    </section>`}saveBar(){const e=this.draft?.quiet.every(t=>t.days!==0)??!1;return l`<div class="save row" role="region" aria-label=${r.settings.dirty}>
      <span class="grow">${e?r.settings.dirty:r.settings.quietNoDay}</span>
      <button ?disabled=${this.saving} @click=${()=>this.draft=structuredClone(this.base)}>${r.settings.discard}</button>
      <button class="primary" ?disabled=${this.saving||!e} @click=${this.save}>
        ${this.saving?l`<span class="spin"></span>${r.settings.saving}`:r.settings.save}
      </button>
    </div>`}async setProfile(e){this.draft?.profile!==e&&(this.change({profile:e}),this.known&&(this.known={...this.known,kept:{...this.known.kept,profile:e}}),await this.ask(()=>M.profile(e)),await this.load())}async ask(e){try{return await e(),"kept"}catch(t){const s=t instanceof F&&t.kind==="offline";return O.say(j(t),{kind:s?"warn":"bad"}),s?"pending":"refused"}}};be.styles=[C,A`
      .head {
        max-width: 860px;
      }
      .column {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: 22px;
        max-width: 860px;
      }
      .line {
        display: flex;
        align-items: center;
        gap: 14px 20px;
        flex-wrap: wrap;
      }
      .line > div.grow {
        flex-basis: 200px;
      }
      label.line {
        flex-wrap: nowrap;
        cursor: pointer;
      }
      .zone {
        flex-wrap: wrap !important;
      }
      .group {
        padding-left: 4px;
      }
      .cameras {
        display: grid;
        gap: 14px;
      }
      hr {
        border: 0;
        border-top: 1px solid var(--line);
        margin: 0;
        width: 100%;
      }
      .save {
        position: sticky;
        bottom: 16px;
        margin-top: 22px;
        max-width: 860px;
        padding: 12px 14px 12px 20px;
        border-radius: 16px;
        background: var(--raised);
        border: 1px solid var(--line);
        box-shadow: var(--shadow-high);
        font-weight: 550;
        z-index: 3;
      }
      @media (max-width: 860px) {
        .save {
          bottom: 84px;
        }
      }
    `];Ke([m()],be.prototype,"known",2);Ke([m()],be.prototype,"draft",2);Ke([m()],be.prototype,"saving",2);Ke([m()],be.prototype,"failed",2);be=Ke([E("page-settings")],be);function Pr(e,t){return t.map(s=>{const i=e.find(n=>n.camera_id===s.camera_id);return i?{...i,snooze_until_ms:s.snooze_until_ms}:s})}const Ar=A`
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
`;var Er=Object.defineProperty,Cr=Object.getOwnPropertyDescriptor,ut=(e,t,s,i)=>{for(var n=i>1?void 0:i?Cr(t,s):t,a=e.length-1,o;a>=0;a--)(o=e[a])&&(n=(i?o(t,s,n):o(n))||n);return i&&n&&Er(t,s,n),n};const Ss=700,Ps=960,Ye=r.pair;let Me=class extends S{constructor(){super(...arguments),this.stream=null,this.failed="",this.start=async()=>{this.failed="";try{this.stream=await navigator.mediaDevices.getUserMedia({video:{width:{ideal:Ps},facingMode:"environment"}}),this.timer=setTimeout(()=>void this.look(),Ss)}catch(e){this.failed=j(e)}},this.stop=()=>{clearTimeout(this.timer),this.stream?.getTracks().forEach(e=>e.stop()),this.stream=null}}disconnectedCallback(){super.disconnectedCallback(),this.stop()}render(){return this.stream?l`<video autoplay playsinline muted .srcObject=${this.stream} aria-label=${Ye.camera}></video>
      <div class="row spread">
        <span class="small soft" role="status">${Ye.cameraLooks}</span>
        <button class="quiet" @click=${this.stop}>${Ye.cameraStop}</button>
      </div>`:l`${this.failed?l`<p class="note bad" role="alert">${this.failed}</p>`:h}
        <button @click=${this.start}>${u("snapshot")}${Ye.cameraStart}</button>`}async look(){const e=await this.photograph(),t=this.stream;if(t){if(e)try{const s=await M.offerPicture(e);if(this.stream!==t)return;this.stop(),this.dispatchEvent(new CustomEvent("found",{detail:s}));return}catch(s){s instanceof dt&&(this.failed=j(s))}this.stream===t&&(this.timer=setTimeout(()=>void this.look(),Ss))}}photograph(){const e=this.video;if(!e||e.videoWidth===0)return Promise.resolve(null);const t=document.createElement("canvas");return t.width=Math.min(Ps,e.videoWidth),t.height=Math.round(t.width*e.videoHeight/e.videoWidth),t.getContext("2d")?.drawImage(e,0,0,t.width,t.height),new Promise(s=>t.toBlob(s,"image/png"))}};Me.styles=[C,A`
      :host {
        display: grid;
        gap: 10px;
        align-content: start;
        margin-top: 8px;
      }
      video {
        width: 100%;
        aspect-ratio: 4 / 3;
        object-fit: cover;
        border-radius: 14px;
        background: var(--stage);
      }
    `];ut([m()],Me.prototype,"stream",2);ut([m()],Me.prototype,"failed",2);ut([W("video")],Me.prototype,"video",2);Me=ut([E("code-camera")],Me);var Or=Object.defineProperty,Tr=Object.getOwnPropertyDescriptor,he=(e,t,s,i)=>{for(var n=i>1?void 0:i?Tr(t,s):t,a=e.length-1,o;a>=0;a--)(o=e[a])&&(n=(i?o(t,s,n):o(n))||n);return i&&n&&Or(t,s,n),n};const k=r.pair,zr=["key","relay","verified"];let J=class extends S{constructor(){super(...arguments),this.number="",this.offer=null,this.failed="",this.busy="",this.over=!1,this.differs=!1,this.hasCamera=!1,this.forget=()=>{this.offer=null,this.failed=""},this.readText=e=>{e.preventDefault();const t=String(new FormData(e.target).get("code")??"").replace(/\s/g,"");this.read("text",()=>M.offer(t))},this.pasted=e=>{const t=(e.clipboardData?.getData("text")??"").replace(/\s/g,"");t.startsWith("PRIVET1:")&&this.read("text",()=>M.offer(t))},this.dragged=e=>{e.preventDefault(),this.over=!0},this.dropped=e=>{e.preventDefault(),this.over=!1,this.readPicture(e.dataTransfer?.files[0])},this.chosen=e=>{const t=e.target;this.readPicture(t.files?.[0]),t.value=""}}connectedCallback(){super.connectedCallback(),this.timer=setInterval(()=>this.offer&&this.requestUpdate(),1e3),navigator.mediaDevices?.enumerateDevices().then(e=>{this.hasCamera=e.some(t=>t.kind==="videoinput")})}disconnectedCallback(){super.disconnectedCallback(),clearInterval(this.timer)}render(){const e=this.number?this.compare():this.offer?this.found(this.offer):this.ways();return l`<main>
      <div class="brand row">${tt()}<span>${r.name}</span></div>
      ${e}
      ${this.number?h:l`<ul class="promises">
            ${k.promises.map((t,s)=>l`<li>${u(zr[s]??"check")}${t}</li>`)}
          </ul>`}
    </main>`}ways(){return l`<h1>${k.title}</h1>
      <p class="lead">${k.lead}</p>
      ${this.failed?l`<div class="note bad" role="alert">${u("warning")}<div>${this.failed}</div></div>`:h}
      <div class="ways">
        <section class="card">
          <h2>${k.paste}</h2>
          <p class="small soft">${k.pasteWhy}</p>
          <form @submit=${this.readText}>
            <textarea name="code" rows="3" required spellcheck="false" autocomplete="off" placeholder="PRIVET1:…" aria-label=${k.pasteLabel} @paste=${this.pasted}></textarea>
            <button class="primary" ?disabled=${this.busy!==""}>${this.busy==="text"?l`<span class="spin"></span>${k.reading}`:k.read}</button>
          </form>
        </section>
        <section class="card">
          <h2>${k.picture}</h2>
          <p class="small soft">${k.pictureWhy}</p>
          <label
            class="drop ${this.over?"over":""}"
            @dragover=${this.dragged}
            @dragleave=${()=>this.over=!1}
            @drop=${this.dropped}
          >
            ${this.busy==="picture"?l`<span class="spin"></span>${k.reading}`:l`${u("snapshot")}<span>${k.drop} ${k.or} <u>${k.choose}</u></span>`}
            <input type="file" accept="image/png,image/jpeg" @change=${this.chosen} />
          </label>
        </section>
        ${this.hasCamera?l`<section class="card">
              <h2>${k.camera}</h2>
              <p class="small soft">${k.cameraWhy}</p>
              <code-camera @found=${e=>this.take(e.detail)}></code-camera>
            </section>`:h}
      </div>`}found(e){const t=e.expires_ms-Date.now();return l`<h1>${k.found}</h1>
      <div class="card stack">
        <dl class="facts">
          <dt>${k.relay}</dt>
          <dd class="mono">${e.relay}</dd>
          <dt>${k.hub}</dt>
          <dd class="mono">${e.hub_fingerprint}</dd>
        </dl>
        ${t>0?l`<p class="note" role="timer">${u("events")}<span>${k.left(An(t))}</span></p>`:l`<div class="note bad" role="alert">${u("warning")}<div>${k.expired}</div></div>`}
        ${this.failed?l`<div class="note bad" role="alert">${u("warning")}<div>${this.failed}</div></div>`:h}
        <div class="row">
          <button class="primary" ?disabled=${t<=0||this.busy!==""} @click=${()=>this.join(e)}>
            ${this.busy==="join"?l`<span class="spin"></span>${k.joining}`:k.join}
          </button>
          <button class="quiet" ?disabled=${this.busy!==""} @click=${this.forget}>${k.other}</button>
        </div>
      </div>`}compare(){return l`<h1>${k.done}</h1>
      <div class="card stack">
        <h2>${k.compare}</h2>
        <p class="soft">${k.compareWhy}</p>
        <safety-number .number=${this.number}></safety-number>
        <p class="small soft">${r.devices.safetyWhy}</p>
        ${this.differs?l`<div class="note bad" role="alert">${u("warning")}<div><strong>${k.differTitle}</strong><br />${k.differWhy}</div></div>`:h}
        <div class="row">
          <button class="primary" @click=${()=>this.dispatchEvent(new Event("done"))}>${u("check")}${k.same}</button>
          <button class="danger" @click=${()=>this.differs=!0}>${k.differ}</button>
        </div>
      </div>`}take(e){this.offer=e,this.failed=""}readPicture(e){e&&this.read("picture",()=>M.offerPicture(e))}async read(e,t){this.busy=e,this.failed="";try{this.take(await t())}catch(s){this.failed=j(s)}this.busy=""}async join(e){this.busy="join",this.failed="";try{const{safety_number:t}=await M.pair(e.code);this.dispatchEvent(new CustomEvent("paired",{detail:t}))}catch(t){this.failed=j(t)}this.busy=""}};J.styles=[C,Ar];he([y()],J.prototype,"number",2);he([m()],J.prototype,"offer",2);he([m()],J.prototype,"failed",2);he([m()],J.prototype,"busy",2);he([m()],J.prototype,"over",2);he([m()],J.prototype,"differs",2);he([m()],J.prototype,"hasCamera",2);J=he([E("page-welcome")],J);var Dr=Object.getOwnPropertyDescriptor,Nr=(e,t,s,i)=>{for(var n=i>1?void 0:i?Dr(t,s):t,a=e.length-1,o;a>=0;a--)(o=e[a])&&(n=o(n)||n);return n};let St=class extends S{constructor(){super(...arguments),this.again=()=>this.requestUpdate()}connectedCallback(){super.connectedCallback(),O.addEventListener("change",this.again)}disconnectedCallback(){super.disconnectedCallback(),O.removeEventListener("change",this.again)}render(){return l`<ul role="status" aria-live="polite">
      ${O.list.map(e=>l`<li class=${e.kind}>
          ${u(e.kind==="good"?"check":e.kind==="plain"?"info":"warning")}
          <div class="grow">
            ${e.href?l`<a href=${e.href} @click=${()=>O.drop(e.id)}>${e.title}</a>`:l`<strong>${e.title}</strong>`}
            ${e.body?l`<p>${e.body}</p>`:h}
          </div>
          <button class="quiet square" aria-label=${r.close} @click=${()=>O.drop(e.id)}>${u("close")}</button>
        </li>`)}
    </ul>`}};St.styles=[C,A`
      ul {
        position: fixed;
        right: 20px;
        bottom: 20px;
        z-index: 30;
        display: grid;
        gap: 10px;
        width: min(380px, calc(100vw - 32px));
      }
      li {
        display: flex;
        gap: 12px;
        align-items: start;
        padding: 12px 8px 12px 16px;
        border-radius: 14px;
        background: var(--raised);
        border: 1px solid var(--line);
        box-shadow: var(--shadow-high);
        animation: come 0.2s ease-out;
      }
      li > .icon {
        margin-top: 1px;
        color: var(--accent);
      }
      .warn > .icon {
        color: var(--warn);
      }
      .bad > .icon {
        color: var(--bad);
      }
      strong,
      a {
        font-weight: 600;
        overflow-wrap: anywhere;
      }
      p {
        color: var(--ink-2);
        font-size: 0.92rem;
        overflow-wrap: anywhere;
      }
      button.square {
        width: 30px;
        min-height: 30px;
        margin-top: -4px;
      }
      @keyframes come {
        from {
          opacity: 0;
          translate: 0 8px;
        }
      }
      @media (max-width: 860px) {
        ul {
          right: 16px;
          bottom: 84px;
        }
      }
    `];St=Nr([E("toast-list")],St);var jr=Object.defineProperty,Lr=Object.getOwnPropertyDescriptor,ft=(e,t,s,i)=>{for(var n=i>1?void 0:i?Lr(t,s):t,a=e.length-1,o;a>=0;a--)(o=e[a])&&(n=(i?o(t,s,n):o(n))||n);return i&&n&&jr(t,s,n),n};const Rr=[{page:"cameras",sign:"cameras"},{page:"events",sign:"events"},{page:"devices",sign:"devices"},{page:"settings",sign:"settings"},{page:"health",sign:"health"}],Ur={camera:"cameras",clip:"events"};let Se=class extends S{constructor(){super(),this.route=ls(location.hash),this.comparing="",this.pairAgain=!1,this.alerts=new gn,this.again=()=>this.requestUpdate(),this.moved=()=>{this.route=ls(location.hash),this.updateComplete.then(()=>{scrollTo(0,0),this.renderRoot.querySelector("main")?.focus({preventScroll:!0})})},this.compared=()=>{this.comparing="",this.pairAgain=!1,location.hash="#/cameras",b.load()},this.skip=e=>{e.preventDefault(),this.renderRoot.querySelector("main")?.focus()},new Z(this,e=>this.happened(e))}connectedCallback(){super.connectedCallback(),window.addEventListener("hashchange",this.moved),H.addEventListener("change",this.again),this.alerts.addEventListener("change",this.again)}disconnectedCallback(){super.disconnectedCallback(),window.removeEventListener("hashchange",this.moved),H.removeEventListener("change",this.again),this.alerts.removeEventListener("change",this.again)}happened(e){switch(e.type){case"notification":hn(e.notification);break;case"devices_changed":O.say(e.what,{kind:"warn",href:"#/devices"});break;case"clips_forgotten":e.clip_ids.forEach(t=>Xe.forget(t)),as(e.clip_ids);break;case"clip_notes":Xe.forget(e.clip_id);break}}willUpdate(){b.state&&(b.state.removed||!b.state.paired)&&(Xe.forgetAll(),as()),(b.state||b.lost)&&(this.dataset.ready="true"),document.title=this.title_()}title_(){return b.lost?`${r.lost[b.lost.why]} – ${r.name}`:b.state?b.state.removed&&!this.pairAgain?`${r.removed.title} – ${r.name}`:!b.usable||this.comparing?`${r.titles.welcome} – ${r.name}`:`${(this.route.page==="camera"?b.camera(this.route.id)?.name:void 0)??r.titles[this.route.page]} – ${b.state.hub_name||r.name}`:r.name}render(){if(b.lost)return l`<page-lost></page-lost>${this.toasts()}`;const e=b.state;return e?e.removed&&!this.pairAgain?l`<page-removed @again=${()=>this.pairAgain=!0}></page-removed>`:this.comparing||!e.paired||e.removed?l`<page-welcome
          .number=${this.comparing}
          @paired=${t=>this.comparing=t.detail}
          @done=${this.compared}
        ></page-welcome>
        ${this.toasts()}`:this.inside():l`<div class="first" role="status">${tt()}<span>${b.failed||r.loading}</span></div>`}inside(){const e=Ur[this.route.page]??this.route.page;return l`<a class="skip" href="#main" @click=${this.skip}>${r.skip}</a>
      <header>
        <a class="brand" href="#/cameras">${tt()}<span>${b.state?.hub_name||r.name}</span></a>
        <nav aria-label=${r.nav}>
          ${Rr.map(({page:t,sign:s})=>l`<a href=${Ue({page:t})} aria-current=${t===e?"page":h}>
              ${u(s)}<span>${r.titles[t]}</span>
              ${t==="health"&&this.alerts.unseen>0?l`<b>${this.alerts.unseen}</b>`:h}
            </a>`)}
        </nav>
        <div class="foot">
          ${this.linkState()}
          <button
            class="quiet square"
            aria-label=${H.dark?r.theme.toLight:r.theme.toDark}
            title=${H.dark?r.theme.toLight:r.theme.toDark}
            @click=${()=>H.choose(H.dark?"light":"dark")}
          >
            ${u(H.dark?"sun":"moon")}
          </button>
        </div>
      </header>
      <main id="main" tabindex="-1">${this.banners()} ${this.page()}</main>
      ${this.toasts()}`}linkState(){const e=b.state?.link??"offline",t=b.state?.link_reason??"";return l`<a class="link ${e}" href="#/health" title=${t||r.link.label}>
      <i></i><span class="hidden-but-read">${r.link.label}: </span><span>${r.link[e]}</span>
    </a>`}banners(){const e=this.alerts.unseen;return e===0||this.route.page==="health"?h:l`<div class="note bad banner" role="alert">
      ${u("warning")}
      <div class="grow"><strong>${r.health.banner(e)}</strong><br />${this.alerts.newest?.what}</div>
      <a class="button" href="#/health">${r.health.look}</a>
    </div>`}page(){const e=this.route;switch(e.page){case"camera":return l`<page-camera .cameraId=${e.id}></page-camera>`;case"clip":return l`<page-clip .clipId=${e.id}></page-clip>`;case"events":return l`<page-events></page-events>`;case"devices":return l`<page-devices></page-devices>`;case"settings":return l`<page-settings></page-settings>`;case"health":return l`<page-health .alerts=${this.alerts}></page-health>`;default:return l`<page-cameras></page-cameras>`}}toasts(){return l`<toast-list></toast-list>`}};Se.styles=[C,vn];ft([m()],Se.prototype,"route",2);ft([m()],Se.prototype,"comparing",2);ft([m()],Se.prototype,"pairAgain",2);Se=ft([E("privet-app")],Se);H.apply();b.start();
