// The passkey on the second step of signing in to the admin. Without this file, or in a browser that knows no
// passkeys, the button stays hidden and the code does.
const form = document.getElementById("second-step-form");
const offer = document.getElementById("passkey-offer");
const note = document.getElementById("passkey-note");

async function usePasskey() {
  const options = JSON.parse(document.getElementById("passkey-options").textContent);
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  const credential = await navigator.credentials.get({publicKey});
  form.elements.credential.value = JSON.stringify(credential.toJSON());
  form.submit();
}

if (window.PublicKeyCredential && PublicKeyCredential.parseRequestOptionsFromJSON) {
  offer.hidden = false;
  offer.querySelector("button").addEventListener("click", () => {
    note.hidden = true;
    usePasskey().catch(() => {
      note.hidden = false;
    });
  });
}
